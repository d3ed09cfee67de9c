#include "fuzz/scan/fuzz_scan.h"

#include "crypt/crypt.h"

#define INPUT_MAX 65536u

static struct scan_set *
open_bytes(struct span bytes)
{
	struct scan_set *set = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	enum err e;

	assert(fd >= 0);
	e = fd_write_all(fd, bytes, NULL);
	assert(e == OK);
	e = scan_set_open(fd, &set, NULL);
	assert((e == OK) == (set != NULL));
	assert(e == OK || e == ERR_CORRUPT || e == ERR_UNSUPPORTED);
	(void)close(fd);
	return set;
}

static void
scan_with(struct scan_set *set)
{
	static const struct span objects[] = { SPAN("hello"),
		SPAN("\xde\xad\xbe\xef\xca\xfe\xba\xbe"
		     "helloa.w he...o"),
		SPAN("MZ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") };
	struct scanner *s = NULL;
	struct scan_verdict v;
	enum err e = scanner_new(set, &fuzz_limits, &s, NULL);

	assert(e == OK);
	for (size_t i = 0; i < COUNT(objects); i++)
		fuzz_scan(s, objects[i], &v);
	/* The set as an object: every literal comes by, masked. */
	fuzz_scan(s, (struct span){ (const char *)set->base, set->len }, &v);
	scanner_free(s);
}

/* The digests of the chunks, and over them that of the head. */
static void
seal_set(struct buf *file)
{
	struct set_header h;
	struct set_directory d;
	unsigned char digest[SHA256_LEN];
	size_t end = file->len;

	memcpy(&h, file->ptr, sizeof(h));
	memcpy(&d, file->ptr + sizeof(h), sizeof(d));
	d.digests = end;
	memcpy(file->ptr + sizeof(h), &d, sizeof(d));
	for (size_t at = SET_HEAD; at < end; at += SET_CHUNK) {
		size_t n = end - at < SET_CHUNK ? end - at : SET_CHUNK;

		sha256((struct span){ file->ptr + at, n }, digest);
		buf_add(file, digest, sizeof(digest));
	}
	h.file_size = file->len;
	{
		struct buf covered = buf_make(INPUT_MAX);

		buf_add(&covered, file->ptr + sizeof(h), SET_HEAD - sizeof(h));
		buf_add(&covered, file->ptr + end, file->len - end);
		sha256(buf_view(&covered), h.digest);
		buf_free(&covered);
	}
	memcpy(file->ptr, &h, sizeof(h));
}

/* Any head and data, sealed as a hostile builder would: the set is refused,
 * or scanning with it stays within it.  A byte changed after sealing: it is
 * refused, or not all of it is whole.  (YARA rules are left out: libyara
 * trusts its stream, that is what the digests and the signature are for.) */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct set_directory d;
	struct buf file = buf_make(INPUT_MAX);
	struct scan_set *set;
	size_t at;

	if (size < SET_HEAD || size > INPUT_MAX / 2)
		return 0;
	memcpy(&d, data + sizeof(struct set_header), sizeof(d));
	if (d.rules.size != 0)
		return 0;
	buf_add(&file, data, size);
	seal_set(&file);
	set = open_bytes(buf_view(&file));
	if (set == NULL) {
		buf_free(&file);
		return 0;
	}
	assert(scan_set_verify(set, NULL) == OK);
	scan_with(set);
	scan_set_close(set);
	at = (data[size - 1] * UINT64_C(2654435761)) % file.len;
	file.ptr[at] ^= 0x40;
	set = open_bytes(buf_view(&file));
	if (set != NULL)
		assert(scan_set_verify(set, NULL) == ERR_CORRUPT);
	scan_set_close(set);
	buf_free(&file);
	return 0;
}
