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
scan_with(const struct scan_set *set)
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

/* A file whose digest is wrong is refused; one that a hostile builder has
 * sealed is refused as well, or scanning with it stays within it.  (YARA
 * rules are left out: libyara trusts its stream, that is what the digest and
 * the signature are for.) */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct set_header h;
	struct set_directory d;
	unsigned char digest[SHA256_LEN];
	struct buf file = buf_make(INPUT_MAX);
	struct scan_set *set;

	if (size < sizeof(h) + sizeof(d) || size > INPUT_MAX)
		return 0;
	memcpy(&h, data, sizeof(h));
	memcpy(&d, data + sizeof(h), sizeof(d));
	if (d.rules.size != 0)
		return 0;
	sha256(
	    (struct span){ (const char *)data + sizeof(h), size - sizeof(h) },
	    digest);
	if (memcmp(digest, h.digest, sizeof(digest)) != 0) {
		set = open_bytes((struct span){ (const char *)data, size });
		assert(set == NULL);
	}
	memcpy(h.digest, digest, sizeof(digest));
	h.file_size = size;
	buf_add(&file, &h, sizeof(h));
	buf_add(&file, data + sizeof(h), size - sizeof(h));
	set = open_bytes(buf_view(&file));
	if (set != NULL)
		scan_with(set);
	scan_set_close(set);
	buf_free(&file);
	return 0;
}
