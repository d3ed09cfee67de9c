#include "formats/exe/exe_int.h"

/* "Windows Authenticode Portable Executable Signature Format", Microsoft. */

#define SECURITY 4u /* of the data directories: a file offset, no RVA */

void
pe_certificates(
    struct span object, const struct exe *x, struct pe_certificates *out)
{
	const struct exe_dir *dir = &x->dir[SECURITY];
	uint64_t entry, end;

	memset(out, 0, sizeof(*out));
	if (x->format != FORMAT_MSEXE || x->dirs <= SECURITY || dir->size == 0)
		return;
	entry = x->dirs_at + SECURITY * 8ull;
	end = (uint64_t)dir->rva + dir->size;
	if (dir->rva < entry + 8 || end > object.len)
		return;
	out->table = bytes_sub(object, dir->rva, dir->size);
	out->range[0] = bytes_sub(object, 0, x->checksum_at);
	out->range[1] =
	    bytes_sub(object, x->checksum_at + 4, entry - (x->checksum_at + 4));
	out->range[2] = bytes_sub(object, entry + 8, dir->rva - (entry + 8));
	out->range[3] = bytes_sub(object, end, object.len - end);
	out->ranges = PE_SIGNED_RANGES;
}
