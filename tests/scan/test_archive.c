#include "scan/fixture.h"

#include <archive.h>
#include <archive_entry.h>
#include <time.h>

#include "crypt/crypt.h"

#define PACKED_MAX ((size_t)64 << 20)
#define MIB        ((size_t)1 << 20)

/* ---- making archives --------------------------------------------------------- */

struct member {
	const char *name;
	struct span bytes;
	unsigned type; /* AE_IF*; 0: a file */
};

static la_ssize_t
on_write(struct archive *a, void *arg, const void *bytes, size_t n)
{
	struct buf *out = arg;

	(void)a;
	buf_add(out, bytes, n);
	return out->full ? -1 : (la_ssize_t)n;
}

static void
put_member(struct archive *a, const struct member *m)
{
	struct archive_entry *e = archive_entry_new();

	assert_non_null(e);
	archive_entry_set_pathname(e, m->name);
	archive_entry_set_filetype(e, m->type == 0 ? AE_IFREG : m->type);
	archive_entry_set_perm(e, 0644);
	if (m->type == AE_IFLNK)
		archive_entry_set_symlink(e, "elsewhere");
	else
		archive_entry_set_size(e, (la_int64_t)m->bytes.len);
	assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
	if (m->bytes.len > 0)
		assert_int_equal(
		    archive_write_data(a, m->bytes.ptr, m->bytes.len),
		    m->bytes.len);
	archive_entry_free(e);
}

/* Formats and filters by the names that libarchive gives them. */
static struct buf
pack(const char *format, const char *filter, const char *options,
    const struct member *m, size_t n)
{
	struct buf out = buf_make(PACKED_MAX);
	struct archive *a = archive_write_new();

	assert_non_null(a);
	assert_int_equal(
	    archive_write_set_format_by_name(a, format), ARCHIVE_OK);
	if (filter != NULL)
		assert_int_equal(
		    archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
	if (options != NULL) {
		assert_int_equal(
		    archive_write_set_options(a, options), ARCHIVE_OK);
		(void)archive_write_set_passphrase(a, "secret");
	}
	(void)archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(
	    archive_write_open(a, &out, NULL, on_write, NULL), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++)
		put_member(a, &m[i]);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	(void)archive_write_free(a);
	return out;
}

/* One thing into one archive; frees what goes in. */
static struct buf
wrap(const char *format, const char *filter, const char *name, struct buf *in)
{
	struct member m = { name, buf_view(in), 0 };
	struct buf out = pack(format, filter, NULL, &m, 1);

	buf_free(in);
	return out;
}

static struct buf
eicar_buf(void)
{
	struct buf b = buf_make(1024);

	buf_span(&b, eicar());
	return b;
}

static struct fixture f; /* EICAR alone, unless a test makes its own */

static int
make_fixture(void **state)
{
	(void)state;
	fixture_make(&f, "none.ndb", "");
	return 0;
}

static int
clear_fixture(void **state)
{
	(void)state;
	fixture_clear(&f);
	return 0;
}

static void
assert_reason(struct span bytes, enum scan_reason want)
{
	assert_string_equal(fixture_scan(&f, bytes), "unscannable");
	assert_string_equal(
	    scan_reason_name(f.verdict.reason), scan_reason_name(want));
}

/* ---- what is found ------------------------------------------------------------ */

static void
eicar_is_found_in_every_format(void **state)
{
	static const struct {
		const char *format, *filter, *inner;
	} cases[] = {
		{ "zip", NULL, "dir/e.com" },
		{ "7zip", NULL, "dir/e.com" },
		{ "ustar", NULL, "dir/e.com" },
		{ "pax", NULL, "dir/e.com" },
		{ "gnutar", NULL, "dir/e.com" },
		{ "v7tar", NULL, "dir/e.com" },
		{ "cpio", NULL, "dir/e.com" },
		{ "newc", NULL, "dir/e.com" },
		{ "iso9660", NULL, "dir/e.com" },
		{ "arbsd", NULL, "e.com" },
		{ "arsvr4", NULL, "e.com" },
		{ "raw", "gzip", "data" },
		{ "raw", "bzip2", "data" },
		{ "raw", "xz", "data" },
		{ "raw", "zstd", "data" },
		{ "raw", "lz4", "data" },
		{ "raw", "lzip", "data" },
		{ "raw", "compress", "data" },
		{ "ustar", "gzip", "data/dir/e.com" },
		{ "ustar", "xz", "data/dir/e.com" },
		{ "cpio", "zstd", "data/dir/e.com" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool ar = strncmp(cases[i].format, "ar", 2) == 0;
		struct member m[] = {
			{ ar ? "other.txt" : "dir/other.txt", SPAN("harmless"),
			    0 },
			{ ar ? "e.com" : "dir/e.com", eicar(), 0 },
		};
		bool raw = strcmp(cases[i].format, "raw") == 0;
		struct buf b = pack(cases[i].format, cases[i].filter, NULL,
		    raw ? m + 1 : m, raw ? 1 : 2);

		print_message("# case: %s %s\n", cases[i].format,
		    cases[i].filter == NULL ? "" : cases[i].filter);
		assert_string_equal(
		    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
		assert_string_equal(f.verdict.inner, cases[i].inner);
		assert_true(f.verdict.has_sha256);
		buf_free(&b);
	}
}

/* Formats that libarchive reads and does not write, byte by byte. */
static void
put_le(struct buf *b, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		buf_char(b, (char)(unsigned char)(v >> (8 * i)));
}

static uint32_t
crc32_of(struct span s)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (unsigned char)s.ptr[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static struct buf
make_cab(struct span bytes)
{
	struct buf b = buf_make(4096);

	buf_add(&b, "MSCF\0\0\0\0", 8);
	put_le(&b, 36 + 8 + 16 + 6 + 8 + bytes.len, 4);
	put_le(&b, 0, 4);
	put_le(&b, 36 + 8, 4); /* first file */
	put_le(&b, 0, 4);
	put_le(&b, 0x0103, 2); /* version */
	put_le(&b, 1, 2);      /* folders */
	put_le(&b, 1, 2);      /* files */
	put_le(&b, 0, 6);
	put_le(&b, 36 + 8 + 16 + 6, 4); /* folder: first data block */
	put_le(&b, 1, 2);
	put_le(&b, 0, 2); /* not compressed */
	put_le(&b, bytes.len, 4);
	put_le(&b, 0, 6);
	put_le(&b, 0x5a21, 2);
	put_le(&b, 0, 2);
	put_le(&b, 0x20, 2);
	buf_add(&b, "e.com", 6);
	put_le(&b, 0, 4); /* no checksum */
	put_le(&b, bytes.len, 2);
	put_le(&b, bytes.len, 2);
	buf_span(&b, bytes);
	return b;
}

static void
put_rar_header(struct buf *b, const struct buf *head)
{
	put_le(b, crc32_of(buf_view(head)) & 0xffff, 2);
	buf_span(b, buf_view(head));
}

static struct buf
make_rar(struct span bytes, unsigned flags)
{
	struct buf b = buf_make(4096), h = buf_make(256);

	buf_add(&b, "Rar!\x1a\7\0", 7);
	put_le(&h, 0x73, 1);
	put_le(&h, 0, 2);
	put_le(&h, 13, 2);
	put_le(&h, 0, 6);
	put_rar_header(&b, &h);
	buf_clear(&h);
	put_le(&h, 0x74, 1);
	put_le(&h, 0x8000 | flags, 2);
	put_le(&h, 32 + 5, 2);
	put_le(&h, bytes.len, 4);
	put_le(&h, bytes.len, 4);
	put_le(&h, 3, 1); /* Unix */
	put_le(&h, crc32_of(bytes), 4);
	put_le(&h, 0x5a21, 4);
	put_le(&h, 20, 1);
	put_le(&h, 0x30, 1); /* stored */
	put_le(&h, 5, 2);
	put_le(&h, 0100644, 4);
	buf_text(&h, "e.com");
	put_rar_header(&b, &h);
	buf_span(&b, bytes);
	buf_free(&h);
	return b;
}

static struct buf
make_rar5(struct span bytes)
{
	struct buf b = buf_make(4096), h = buf_make(256);

	buf_add(&b, "Rar!\x1a\7\1\0", 8);
	buf_add(&h, "\3\1\0\0", 4); /* size, main header, flags, flags */
	put_le(&b, crc32_of(buf_view(&h)), 4);
	buf_span(&b, buf_view(&h));
	buf_clear(&h);
	put_le(&h, 15 + 0, 1); /* size, patched below */
	put_le(&h, 2, 1);      /* file header */
	put_le(&h, 2, 1);      /* has data */
	put_le(&h, bytes.len, 1);
	put_le(&h, 0, 1); /* file flags */
	put_le(&h, bytes.len, 1);
	put_le(&h, 0xa4 | 0x80, 1); /* mode 0644 as a vint */
	put_le(&h, 0x03, 1);
	put_le(&h, 0, 1); /* stored */
	put_le(&h, 1, 1); /* Unix */
	put_le(&h, 5, 1);
	buf_text(&h, "e.com");
	h.ptr[0] = (char)(h.len - 1);
	put_le(&b, crc32_of(buf_view(&h)), 4);
	buf_span(&b, buf_view(&h));
	buf_span(&b, bytes);
	buf_free(&h);
	return b;
}

static struct buf
make_lha(struct span bytes)
{
	struct buf b = buf_make(4096);
	unsigned sum = 0;

	put_le(&b, 0, 2); /* header size and sum, patched below */
	buf_text(&b, "-lh0-");
	put_le(&b, bytes.len, 4);
	put_le(&b, bytes.len, 4);
	put_le(&b, 0x5a21, 4);
	put_le(&b, 0x20, 1);
	put_le(&b, 0, 1); /* level */
	put_le(&b, 5, 1);
	buf_text(&b, "e.com");
	put_le(&b, 0, 2); /* CRC, not checked when damaged */
	for (size_t i = 2; i < b.len; i++)
		sum += (unsigned char)b.ptr[i];
	b.ptr[0] = (char)(b.len - 2);
	b.ptr[1] = (char)(unsigned char)sum;
	buf_span(&b, bytes);
	put_le(&b, 0, 1);
	return b;
}

static void
eicar_is_found_in_formats_that_are_only_read(void **state)
{
	struct {
		const char *name;
		struct buf bytes;
	} cases[] = {
		{ "cab", make_cab(eicar()) },
		{ "rar", make_rar(eicar(), 0) },
		{ "rar5", make_rar5(eicar()) },
		{ "lha", make_lha(eicar()) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].name);
		assert_string_equal(fixture_scan(&f, buf_view(&cases[i].bytes)),
		    "Eicar-Test-Signature");
		assert_string_equal(f.verdict.inner, "e.com");
		buf_free(&cases[i].bytes);
	}
}

static void
archives_are_opened_within_archives(void **state)
{
	struct buf b = eicar_buf();

	(void)state;
	b = wrap("zip", NULL, "b/e.com", &b);
	b = wrap("ustar", "xz", "a.zip", &b);
	b = wrap("7zip", NULL, "t.tar.xz", &b);
	assert_string_equal(
	    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
	assert_string_equal(f.verdict.inner, "t.tar.xz/data/a.zip/b/e.com");
	assert_int_equal(f.verdict.objects, 5);
	buf_free(&b);
}

/* libarchive would take all of them off at once. */
static void
each_layer_of_compression_is_an_object(void **state)
{
	static const char *const filters[] = { "gzip", "gzip", "bzip2", "xz",
		"zstd", "lz4", "compress" };
	struct buf b = eicar_buf();

	(void)state;
	for (size_t i = 0; i < COUNT(filters); i++)
		b = wrap("raw", filters[i], "data", &b);
	assert_string_equal(
	    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
	assert_int_equal(f.verdict.objects, COUNT(filters) + 1);
	buf_free(&b);
}

static void
a_name_keeps_its_bytes(void **state)
{
	static const char *const names[] = { "line\nbreak", "\xff\xfe",
		"ti\xe1\xba\xbfng Vi\xe1\xbb\x87t", "../../etc/x", "/abs" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct member m = { names[i], eicar(), 0 };
		struct buf b = pack("ustar", NULL, NULL, &m, 1);

		assert_string_equal(
		    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
		assert_string_equal(f.verdict.inner, names[i]);
		buf_free(&b);
	}
}

static void
a_long_inner_path_is_cut(void **state)
{
	struct buf b = eicar_buf();
	char name[700];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	b = wrap("pax", NULL, name, &b);
	b = wrap("pax", NULL, name, &b);
	assert_string_equal(
	    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
	assert_int_equal(strlen(f.verdict.inner), SCAN_INNER_MAX - 1);
	buf_free(&b);
}

static void
a_zip_behind_something_else_is_opened(void **state)
{
	struct buf b = eicar_buf(), whole = buf_make(PACKED_MAX);

	(void)state;
	b = wrap("zip", NULL, "e.com", &b);
	buf_text(&whole, "MZ a program that unpacks itself");
	buf_span(&whole, buf_view(&b));
	assert_string_equal(
	    fixture_scan(&f, buf_view(&whole)), "Eicar-Test-Signature");
	buf_free(&whole);
	buf_free(&b);
}

/* Unpackers disagree about which of two archives a file is. */
static void
an_archive_before_a_zip_is_opened_too(void **state)
{
	static const struct {
		const char *name, *format, *filter;
	} cases[] = { { "zip", "zip", NULL }, { "7z", "7zip", NULL },
		{ "gzip", "raw", "gzip" }, { "tar", "ustar", NULL } };
	struct member bad = { "e.com", eicar(), 0 };
	struct member good = { "g.txt", SPAN("harmless"), 0 };

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const char *format = cases[i / 2].format;
		const char *filter = cases[i / 2].filter;
		bool first = i % 2 == 0;
		struct buf b =
		    pack(format, filter, NULL, first ? &bad : &good, 1);
		struct buf zip =
		    pack("zip", NULL, NULL, first ? &good : &bad, 1);

		TEST_CASE(cases[i / 2].name);
		buf_span(&b, buf_view(&zip));
		buf_span(&b, buf_view(&zip));
		assert_string_equal(
		    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
		buf_free(&zip);
		buf_free(&b);
	}
}

static void
a_zip_with_something_on_both_sides_is_opened(void **state)
{
	struct buf b = eicar_buf(), whole = buf_make(PACKED_MAX);

	(void)state;
	b = wrap("zip", NULL, "e.com", &b);
	buf_text(&whole, "MZ a program that unpacks itself");
	buf_span(&whole, buf_view(&b));
	buf_text(&whole, " and a signature");
	assert_string_equal(
	    fixture_scan(&f, buf_view(&whole)), "Eicar-Test-Signature");
	buf_free(&whole);
	buf_free(&b);
}

/* The directory of a zip says what a member is; who unpacks it elsewhere
 * writes a file. */
static void
a_member_of_a_zip_is_read_whatever_it_says_to_be(void **state)
{
	static const unsigned types[] = { AE_IFREG, AE_IFLNK, AE_IFCHR,
		AE_IFBLK, AE_IFDIR, AE_IFSOCK, AE_IFIFO, 0170000, 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		struct buf b = eicar_buf();
		char *entry;

		b = wrap("zip", NULL, "e.com", &b);
		entry = memmem(b.ptr, b.len, "PK\1\2", 4);
		assert_non_null(entry);
		entry[5] = 3; /* made by Unix */
		entry[40] = (char)(unsigned char)0644;
		entry[41] = (char)(unsigned char)(types[i] >> 8);
		print_message("# case: type %o\n", types[i]);
		assert_string_equal(
		    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
		buf_free(&b);
	}
}

/* By its name no unpacker makes a file of it; it is not silence either. */
static void
a_folder_that_has_bytes_is_not_clean(void **state)
{
	struct buf b = eicar_buf();
	char *name;

	(void)state;
	b = wrap("zip", NULL, "folder_", &b);
	while ((name = memmem(b.ptr, b.len, "folder_", 7)) != NULL)
		name[6] = '/';
	assert_reason(buf_view(&b), SCAN_R_UNSUPPORTED);
	buf_free(&b);
}

static void
links_and_folders_are_no_files(void **state)
{
	static const struct member m[] = {
		{ "folder", { NULL, 0 }, AE_IFDIR },
		{ "link", { NULL, 0 }, AE_IFLNK },
		{ "empty", { NULL, 0 }, 0 },
	};
	struct buf b = pack("pax", NULL, NULL, m, COUNT(m));

	(void)state;
	assert_string_equal(fixture_scan(&f, buf_view(&b)), "");
	assert_int_equal(f.verdict.objects, 1);
	buf_free(&b);
	b = pack("zip", NULL, NULL, m, COUNT(m));
	assert_string_equal(fixture_scan(&f, buf_view(&b)), "");
	buf_free(&b);
}

/* ---- what is not ---------------------------------------------------------------- */

static void
an_encrypted_member_is_named(void **state)
{
	static const char *const kinds[] = { "zip:encryption=zipcrypt",
		"zip:encryption=aes256" };
	const struct member m[] = { { "locked.doc", eicar(), 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct buf b = pack("zip", NULL, kinds[i], m, 1);

		assert_reason(buf_view(&b), SCAN_R_ENCRYPTED);
		assert_string_equal(f.verdict.inner, "locked.doc");
		buf_free(&b);
	}
}

static struct buf
make_locked_rar(void)
{
	return make_rar(eicar(), 4);
}

/* A 7z of one folder with AES, which is all that its header tells. */
static struct buf
make_locked_7z(void)
{
	static const unsigned char header[] = {
		1, 4,                               /* streams */
		6, 0, 1, 9, 16, 0,                  /* one, of 16 bytes */
		7, 11, 1, 0,                        /* one folder */
		1, 0x24, 6, 0xf1, 7, 1, 2, 0x13, 0, /* one coder: AES */
		12, 16, 0, 8, 0, 0,                 /* 16 bytes unpacked */
		5, 1, 17, 5, 0, 'e', 0, 0, 0, 0, 0, /* one file, "e" */
	};
	struct span h = { (const char *)header, sizeof(header) };
	struct buf b = buf_make(4096), start = buf_make(64);

	put_le(&start, 16, 8); /* where the header is */
	put_le(&start, h.len, 8);
	put_le(&start, crc32_of(h), 4);
	buf_add(&b, "7z\xbc\xaf\x27\x1c\0\4", 8);
	put_le(&b, crc32_of(buf_view(&start)), 4);
	buf_span(&b, buf_view(&start));
	buf_add(&b, "sixteen bytes...", 16);
	buf_span(&b, h);
	buf_free(&start);
	return b;
}

/* Headers themselves encrypted: not even names can be read. */
static struct buf
make_sealed_rar(void)
{
	struct buf b = buf_make(4096), h = buf_make(256);

	buf_add(&b, "Rar!\x1a\7\0", 7);
	put_le(&h, 0x73, 1);
	put_le(&h, 0x80, 2);
	put_le(&h, 13, 2);
	put_le(&h, 0, 6);
	put_rar_header(&b, &h);
	buf_text(&b, "salt of eight and noise behind it");
	buf_free(&h);
	return b;
}

static struct buf
make_sealed_rar5(void)
{
	struct buf b = buf_make(4096), h = buf_make(256);

	buf_add(&b, "Rar!\x1a\7\1\0", 8);
	put_le(&h, 5 + 16, 1);
	put_le(&h, 4, 1); /* encryption header */
	put_le(&h, 0, 1);
	put_le(&h, 0, 1); /* AES-256 */
	put_le(&h, 0, 1);
	put_le(&h, 15, 1);
	buf_text(&h, "salt of 16 bytes");
	put_le(&b, crc32_of(buf_view(&h)), 4);
	buf_span(&b, buf_view(&h));
	buf_text(&b, "noise behind it");
	buf_free(&h);
	return b;
}

static void
an_archive_that_needs_a_password_is_encrypted(void **state)
{
	static const struct {
		const char *name;
		struct buf (*make)(void);
	} cases[] = {
		{ "rar", make_locked_rar },
		{ "7z", make_locked_7z },
		{ "rar, headers too", make_sealed_rar },
		{ "rar5, headers too", make_sealed_rar5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = cases[i].make();

		TEST_CASE(cases[i].name);
		assert_reason(buf_view(&b), SCAN_R_ENCRYPTED);
		buf_free(&b);
	}
}

/* Cut anywhere, an archive is found, damaged, or harmless; never an error,
 * and never silently clean once its member is reached. */
static void
a_damaged_archive_is_never_silent(void **state)
{
	static const struct {
		const char *format, *filter;
	} cases[] = { { "zip", NULL }, { "7zip", NULL }, { "raw", "gzip" },
		{ "raw", "xz" }, { "raw", "bzip2" }, { "raw", "zstd" },
		{ "ustar", "gzip" } };
	char noise[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(unsigned char)(i * i * 7 + i / 3);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct member m = { "n", { noise, sizeof(noise) }, 0 };
		struct buf b =
		    pack(cases[i].format, cases[i].filter, NULL, &m, 1);

		print_message("# case: %s %s\n", cases[i].format,
		    cases[i].filter == NULL ? "" : cases[i].filter);
		assert_string_equal(fixture_scan(&f, buf_view(&b)), "");
		size_t end = b.len - 12;

		/* A zip whose directory is gone is still read whole. */
		if (strcmp(cases[i].format, "zip") == 0)
			end =
			    (size_t)((char *)memmem(b.ptr, b.len, "PK\1\2", 4) -
				b.ptr);
		for (size_t n = 12; n < end; n += 11)
			assert_string_equal(
			    fixture_scan(&f, (struct span){ b.ptr, n }),
			    "unscannable");
		buf_free(&b);
	}
}

static void
found_beats_damaged(void **state)
{
	struct member m[] = { { "a.gz", SPAN("\x1f\x8b\x08 broken"), 0 },
		{ "e.com", eicar(), 0 } };
	struct buf b = pack("ustar", NULL, NULL, m, 1);

	(void)state;
	assert_reason(buf_view(&b), SCAN_R_DAMAGED);
	assert_string_equal(f.verdict.inner, "a.gz");
	buf_free(&b);
	b = pack("ustar", NULL, NULL, m, 2);
	assert_string_equal(
	    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
	assert_int_equal(f.verdict.reason, SCAN_R_NONE);
	buf_free(&b);
}

static void
ordinary_files_are_no_damaged_archives(void **state)
{
	static const struct span cases[] = {
		SPAN("PK is how some names begin"),
		SPAN("BZhang wrote this text"),
		SPAN("the text PK\5\6 in the middle of a file, and more of it"),
		SPAN("7z"),
		SPAN("Rar! said the lion"),
		SPAN("!<arch> is an archive"),
		SPAN("an -lh looks like lha at 2"),
		SPAN("\x1f\x8b"),
		SPAN("070701 is the number of a document, followed by so much "
		     "text that the header of an archive would be over"),
		SPAN("0707077;Nguyen Van A;42 Tran Phu;and more columns after "
		     "these, until a header of 76 bytes has passed"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].ptr);
		assert_string_equal(fixture_scan(&f, cases[i]), "");
	}
}

/* ---- limits ----------------------------------------------------------------------- */

static void
nesting_ends_at_its_limit(void **state)
{
	struct buf b = eicar_buf();
	char name[32];

	(void)state;
	for (uint32_t i = 0; i < scan_limits_default.depth; i++) {
		(void)snprintf(name, sizeof(name), "%u.zip", i);
		b = wrap("zip", NULL, name, &b);
	}
	assert_string_equal(
	    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
	b = wrap("zip", NULL, "one.zip", &b);
	assert_reason(buf_view(&b), SCAN_R_DEPTH);
	buf_free(&b);
}

static void
members_are_counted_over_all_levels(void **state)
{
	struct scan_limits limits = scan_limits_default;
	struct member m[60];
	struct buf b;

	(void)state;
	limits.count = 100;
	fixture_clear(&f);
	fixture_make_bytes(&f, "none.ndb", SPAN(""), &limits);
	for (size_t i = 0; i < COUNT(m); i++)
		m[i] = (struct member){ "m", SPAN("x"), 0 };
	b = pack("ustar", NULL, NULL, m, COUNT(m));
	assert_string_equal(fixture_scan(&f, buf_view(&b)), "");
	m[0].bytes = m[1].bytes = buf_view(&b);
	{
		struct buf two = pack("ustar", NULL, NULL, m, 2);

		assert_reason(buf_view(&two), SCAN_R_COUNT);
		buf_free(&two);
	}
	buf_free(&b);
}

/* `n` bytes of nothing, packed. */
static struct buf
zeros(const char *format, const char *filter, size_t n)
{
	char *p = calloc(1, n);
	struct member m = { "zeros", { p, n }, 0 };
	struct buf b;

	assert_non_null(p);
	b = pack(format, filter, NULL, &m, 1);
	free(p);
	return b;
}

static void
a_bomb_ends_soon_with_its_reason(void **state)
{
	static const struct {
		const char *format, *filter;
	} cases[] = { { "raw", "gzip" }, { "raw", "bzip2" }, { "raw", "xz" },
		{ "raw", "zstd" }, { "zip", NULL }, { "7zip", NULL } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b =
		    zeros(cases[i].format, cases[i].filter, 64 * MIB);
		clock_t began = clock();

		print_message("# case: %s %s\n", cases[i].format,
		    cases[i].filter == NULL ? "" : cases[i].filter);
		assert_reason(buf_view(&b), SCAN_R_RATIO);
		assert_true(f.verdict.read <
		    17 * MIB + b.len * (scan_limits_default.ratio + 1));
		assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
		buf_free(&b);
	}
}

static void
small_growth_is_no_bomb(void **state)
{
	/* 8 MiB of zeros in 8 KiB: a thousandfold, and fine */
	struct buf b = zeros("raw", "gzip", 8 * MIB);

	(void)state;
	assert_string_equal(fixture_scan(&f, buf_view(&b)), "");
	buf_free(&b);
}

static void
sizes_have_limits(void **state)
{
	struct scan_limits limits = scan_limits_default;
	struct member m[3];
	struct buf b;
	char *p = calloc(1, 3 * MIB);

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < COUNT(m); i++)
		m[i] = (struct member){ "m", { p, 3 * MIB }, 0 };
	b = pack("ustar", NULL, NULL, m, COUNT(m));
	fixture_clear(&f);
	limits.size = 8 * MIB;
	fixture_make_bytes(&f, "none.ndb", SPAN(""), &limits);
	assert_reason(buf_view(&b), SCAN_R_SIZE);
	fixture_clear(&f);
	limits = scan_limits_default;
	limits.member_size = 3 * MIB - 1;
	fixture_make_bytes(&f, "none.ndb", SPAN(""), &limits);
	assert_reason(buf_view(&b), SCAN_R_SIZE);
	assert_string_equal(f.verdict.inner, "m");
	fixture_clear(&f);
	limits.member_size = 3 * MIB;
	fixture_make_bytes(&f, "none.ndb", SPAN(""), &limits);
	assert_string_equal(fixture_scan(&f, buf_view(&b)), "");
	buf_free(&b);
	free(p);
}

/* A few bytes of tar say that a petabyte lies between them. */
static void
a_member_beyond_the_memory_is_named(void **state)
{
	static const la_int64_t hole = INT64_C(1) << 50;
	struct scan_limits limits = scan_limits_default;
	struct buf b = buf_make(PACKED_MAX);
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	(void)state;
	assert_int_equal(
	    archive_write_set_format_by_name(a, "pax"), ARCHIVE_OK);
	assert_int_equal(
	    archive_write_open(a, &b, NULL, on_write, NULL), ARCHIVE_OK);
	archive_entry_set_pathname(e, "hole");
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_size(e, hole + 6);
	archive_entry_sparse_add_entry(e, hole, 6);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	/* The map of holes goes with the first data. */
	assert_int_equal(archive_write_data(a, "", 1), 1);
	archive_entry_free(e);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	(void)archive_write_free(a);
	assert_reason(buf_view(&b), SCAN_R_SIZE);
	fixture_clear(&f);
	limits.size = limits.member_size = UINT64_C(1) << 60;
	fixture_make_bytes(&f, "none.ndb", SPAN(""), &limits);
	assert_reason(buf_view(&b), SCAN_R_MEMORY);
	assert_string_equal(f.verdict.inner, "hole");
	buf_free(&b);
}

/* Whatever stops a scan: what was found stays found, and what comes before
 * the end is looked at. */
static void
found_beats_every_limit(void **state)
{
	enum { MANY = 30 };
	static const struct {
		const char *name;
		size_t at; /* where the infected member stands */
		struct scan_limits limits;
	} cases[] = {
		{ "count", 8,
		    { .depth = 16,
			.size = 1u << 30,
			.member_size = 1u << 28,
			.ratio = 250,
			.count = 10,
			.seconds = 60 } },
		{ "size", 1,
		    { .depth = 16,
			.size = 2 * MIB,
			.member_size = 1u << 28,
			.ratio = 250,
			.count = 1000,
			.seconds = 60 } },
		{ "member size", MANY - 1,
		    { .depth = 16,
			.size = 1u << 30,
			.member_size = MIB / 2,
			.ratio = 250,
			.count = 1000,
			.seconds = 60 } },
		{ "depth", MANY - 1,
		    { .depth = 1,
			.size = 1u << 30,
			.member_size = 1u << 28,
			.ratio = 5000,
			.count = 1000,
			.seconds = 60 } },
		{ "ratio", 1,
		    { .depth = 16,
			.size = 1u << 30,
			.member_size = 1u << 28,
			.ratio = 2,
			.count = 1000,
			.seconds = 60 } },
	};
	struct buf tar = eicar_buf();
	struct member m[MANY];
	char *p = calloc(1, MIB);

	(void)state;
	assert_non_null(p);
	buf_clear(&tar);
	buf_text(&tar, "harmless");
	tar = wrap("ustar", NULL, "deep", &tar);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;

		TEST_CASE(cases[i].name);
		for (size_t k = 0; k < MANY; k++)
			m[k] = (struct member){ "m", { p, MIB }, 0 };
		m[0].bytes = buf_view(&tar);
		fixture_clear(&f);
		fixture_make_bytes(&f, "none.ndb", SPAN(""), &cases[i].limits);
		b = pack("zip", NULL, NULL, m, MANY);
		assert_string_equal(
		    fixture_scan(&f, buf_view(&b)), "unscannable");
		buf_free(&b);
		m[cases[i].at].bytes = eicar();
		b = pack("zip", NULL, NULL, m, MANY);
		assert_string_equal(
		    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
		assert_int_equal(f.verdict.reason, SCAN_R_NONE);
		buf_free(&b);
	}
	buf_free(&tar);
	free(p);
}

/* A tar of small members that is itself larger than a member may be is read
 * member by member. */
static void
a_large_packed_tar_is_read_through(void **state)
{
	struct scan_limits limits = scan_limits_default;
	struct member m[41];
	struct buf b;
	char *p = calloc(1, 100000);

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < COUNT(m); i++)
		m[i] = (struct member){ "m", { p, 100000 }, 0 };
	m[40] = (struct member){ "e.com", eicar(), 0 };
	b = pack("ustar", "gzip", NULL, m, COUNT(m));
	fixture_clear(&f);
	limits.member_size = 1 * MIB;
	fixture_make_bytes(&f, "none.ndb", SPAN(""), &limits);
	assert_string_equal(
	    fixture_scan(&f, buf_view(&b)), "Eicar-Test-Signature");
	assert_string_equal(f.verdict.inner, "e.com");
	buf_free(&b);
	free(p);
}

/* Many entries of a zip's directory that share one packed member: it is
 * read once. */
static void
an_overlapping_zip_is_no_bomb(void **state)
{
	enum { ENTRIES = 2000 };
	struct buf b = zeros("zip", NULL, 4 * MIB), out = buf_make(PACKED_MAX);
	const char *directory = memmem(b.ptr, b.len, "PK\1\2", 4), *end;
	size_t head, entry;

	(void)state;
	assert_non_null(directory);
	end = memmem(b.ptr, b.len, "PK\5\6", 4);
	assert_non_null(end);
	head = (size_t)(directory - b.ptr);
	entry = (size_t)(end - directory);
	buf_add(&out, b.ptr, head);
	for (int i = 0; i < ENTRIES; i++)
		buf_add(&out, directory, entry);
	buf_add(&out, "PK\5\6\0\0\0\0", 8);
	put_le(&out, ENTRIES, 2);
	put_le(&out, ENTRIES, 2);
	put_le(&out, entry * ENTRIES, 4);
	put_le(&out, head, 4);
	put_le(&out, 0, 2);
	{
		clock_t began = clock();

		assert_string_equal(fixture_scan(&f, buf_view(&out)), "");
		assert_true(f.verdict.read < 40 * MIB);
		assert_true(clock() - began < 10 * CLOCKS_PER_SEC);
	}
	buf_free(&out);
	buf_free(&b);
}

/* ---- allow lists --------------------------------------------------------------------- */

static void
an_allowed_container_allows_what_is_in_it(void **state)
{
	struct buf inner = eicar_buf();
	struct buf tar = wrap("ustar", NULL, "e.com", &inner);
	struct member m = { "t.tar", buf_view(&tar), 0 };
	struct buf b = pack("zip", NULL, NULL, &m, 1);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		unsigned char digest[SHA256_LEN];
		char hex[SHA256_HEX], line[200];
		struct span what = i == 0 ? buf_view(&b) : buf_view(&tar);

		sha256(what, digest);
		hex_encode(digest, sizeof(digest), hex);
		(void)snprintf(
		    line, sizeof(line), "%s:%zu:ok\n", hex, what.len);
		fixture_clear(&f);
		fixture_make(&f, "ok.sfp", line);
		assert_string_equal(fixture_scan(&f, buf_view(&b)), "");
		assert_string_equal(
		    fixture_scan(&f, eicar()), "Eicar-Test-Signature");
	}
	buf_free(&b);
	buf_free(&tar);
}

/* By any digest, wherever it is packed; its neighbours are still found. */
static void
an_allowed_member_allows_itself_alone(void **state)
{
	static const char *const lines[] = {
		"44d88612fea8a8f36de82e1278abb02f:68:ok\n",
		"3395856ce81f2b7382dee72602f798b642f14140:*:ok\n",
	};
	struct member m[] = { { "good", eicar(), 0 },
		{ "bad", SPAN("a worm in it"), 0 } };
	struct buf b = pack("zip", NULL, NULL, m, 2);

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct scan_builder *builder = NULL;
		struct errinfo ei = { 0 };

		fixture_clear(&f);
		assert_ok(scan_builder_new(NULL, NULL, &builder, &ei));
		assert_ok(
		    scan_builder_add(builder, "ok.fp", span_of(lines[i]), &ei));
		assert_ok(scan_builder_add(
		    builder, "w.ndb", SPAN("Worm:0:*:776f726d\n"), &ei));
		fixture_open(&f, builder, &scan_limits_default);
		assert_string_equal(fixture_scan(&f, eicar()), "");
		assert_string_equal(fixture_scan(&f, buf_view(&b)), "Worm");
		assert_string_equal(f.verdict.inner, "bad");
	}
	buf_free(&b);
}

#define TEST(function)                                                         \
	cmocka_unit_test_setup_teardown(function, make_fixture, clear_fixture)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(eicar_is_found_in_every_format),
		TEST(eicar_is_found_in_formats_that_are_only_read),
		TEST(archives_are_opened_within_archives),
		TEST(each_layer_of_compression_is_an_object),
		TEST(a_name_keeps_its_bytes),
		TEST(a_long_inner_path_is_cut),
		TEST(a_zip_behind_something_else_is_opened),
		TEST(an_archive_before_a_zip_is_opened_too),
		TEST(a_zip_with_something_on_both_sides_is_opened),
		TEST(a_member_of_a_zip_is_read_whatever_it_says_to_be),
		TEST(a_folder_that_has_bytes_is_not_clean),
		TEST(links_and_folders_are_no_files),
		TEST(an_encrypted_member_is_named),
		TEST(an_archive_that_needs_a_password_is_encrypted),
		TEST(a_damaged_archive_is_never_silent),
		TEST(found_beats_damaged),
		TEST(ordinary_files_are_no_damaged_archives),
		TEST(nesting_ends_at_its_limit),
		TEST(members_are_counted_over_all_levels),
		TEST(a_bomb_ends_soon_with_its_reason),
		TEST(small_growth_is_no_bomb),
		TEST(sizes_have_limits),
		TEST(a_member_beyond_the_memory_is_named),
		TEST(found_beats_every_limit),
		TEST(a_large_packed_tar_is_read_through),
		TEST(an_overlapping_zip_is_no_bomb),
		TEST(an_allowed_container_allows_what_is_in_it),
		TEST(an_allowed_member_allows_itself_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
