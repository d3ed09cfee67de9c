#include "formats/exe/exe_int.h"

/* The import hash, in ClamAV's reading: each function of each descriptor as
 * "library.function", joined by commas.  A file of which something cannot be
 * read has no hash; so does one that imports a function whose name has other
 * characters than letters, digits, '_' and '.', as all of C++ have. */

#define IMPORTS         1u /* of the data directories */
#define DESCRIPTOR      20u
#define DESCRIPTORS_MAX 1024u
#define NAME_MAX_LEN    256u
#define BY_NUMBER       0x80000000u
#define HINT            2u

struct imports {
	struct span object;
	const struct exe *x;
	struct buf *out;
	uint32_t lookups; /* that may still be made */
	char library[NAME_MAX_LEN];
	size_t len, stem; /* of the library's name, without its ending */
};

static char
lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

static bool
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
	    c == '.';
}

static bool
lookup(struct imports *im, uint32_t rva, uint64_t *at)
{
	if (im->lookups == 0)
		return false;
	im->lookups--;
	return exe_offset(im->object, im->x, rva, at);
}

/* What stands before the first dot if one of these endings follows it, and
 * perhaps more: "ws2_32.dllx" is "ws2_32". */
static size_t
stem_len(struct span name)
{
	static const char *const endings[] = { ".dll", ".ocx", ".sys" };
	const char *dot = memchr(name.ptr, '.', name.len);
	size_t at = dot == NULL ? name.len : (size_t)(dot - name.ptr);

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (span_starts(span_from(name, at), endings[i]))
			return at;
	return name.len;
}

static bool
library_read(struct imports *im, uint32_t rva)
{
	struct span name;
	uint64_t at;

	if (!lookup(im, rva, &at) || at >= im->object.len)
		return false;
	name = bytes_sub(im->object, at, NAME_MAX_LEN);
	name.len = strnlen(name.ptr, name.len);
	for (size_t i = 0; i < name.len; i++)
		im->library[i] = lower(name.ptr[i]);
	im->len = name.len;
	im->stem = stem_len((struct span){ im->library, im->len });
	return true;
}

static void
begin_function(struct imports *im)
{
	if (im->out->len > 0)
		buf_char(im->out, ',');
	buf_add(im->out, im->library, im->stem);
	buf_char(im->out, '.');
}

static void
add_number(struct imports *im, uint16_t number)
{
	struct span library = { im->library, im->len };
	const char *name = pe_ordinal_find(library, number);

	begin_function(im);
	if (name != NULL)
		buf_text(im->out, name);
	else
		buf_fmt(im->out, "ord%u", number);
}

/* A name that cannot be there is an empty one; one in the last bytes of the
 * file does not count, since ClamAV takes 256 bytes whatever its length. */
static bool
add_name(struct imports *im, uint32_t rva)
{
	struct span name = { "", 0 };
	uint64_t at;

	if (lookup(im, rva, &at)) {
		if (!bytes_have(im->object, at + HINT, NAME_MAX_LEN))
			return true;
		name = bytes_sub(im->object, at + HINT, NAME_MAX_LEN);
		name.len = strnlen(name.ptr, name.len);
	}
	begin_function(im);
	for (size_t i = 0; i < name.len; i++) {
		char c = lower(name.ptr[i]);

		if (!is_name(c))
			return false;
		buf_char(im->out, c);
	}
	return true;
}

/* The functions of one library, up to the first 0. */
static bool
functions_read(struct imports *im, uint32_t original, uint32_t first)
{
	uint32_t thunk;
	uint64_t at;

	if ((original == 0 || !lookup(im, original, &at)) &&
	    !lookup(im, first, &at))
		return false;
	for (; bytes_le32(im->object, at, &thunk) && thunk != 0;
	     at += sizeof(thunk)) {
		if (im->lookups == 0 || im->out->full)
			return false;
		if ((thunk & BY_NUMBER) != 0)
			add_number(im, (uint16_t)thunk);
		else if (!add_name(im, thunk))
			return false;
	}
	return true;
}

static bool
descriptors_read(struct imports *im, uint64_t at, uint64_t size)
{
	uint32_t original, name, first;

	for (uint32_t i = 0; i < DESCRIPTORS_MAX && size > DESCRIPTOR;
	     i++, at += DESCRIPTOR, size -= DESCRIPTOR) {
		(void)bytes_le32(im->object, at, &original);
		(void)bytes_le32(im->object, at + 12, &name);
		(void)bytes_le32(im->object, at + 16, &first);
		if (name == 0)
			break;
		if (!library_read(im, name) ||
		    !functions_read(im, original, first))
			return false;
	}
	return true;
}

void
pe_imports(struct span object, const struct exe *x, struct buf *out)
{
	struct imports im = { object, x, out, pe_lookups_max(x) };
	const struct exe_dir *dir = &x->dir[IMPORTS];
	uint64_t at;

	buf_cut(out, 0);
	if (x->format != FORMAT_MSEXE || !x->has_sections || x->pe32plus ||
	    x->dirs <= IMPORTS || dir->rva == 0 || dir->size == 0 ||
	    !exe_offset(object, x, dir->rva, &at) ||
	    !bytes_have(object, at, dir->size))
		return;
	if (!descriptors_read(&im, at, dir->size) || out->full)
		buf_cut(out, 0);
}
