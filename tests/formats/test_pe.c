#include "pe_build.h"

/* ---- version information ---------------------------------------------------- */

#define RSRC    0x800u /* file offset of section 2, which is at RVA 0x2000 */
#define VERSION 0x100u /* of the version information, in the section */

/* A VERSIONINFO under construction; blocks are begun, then ended with a
 * length that may be another than theirs. */
struct blocks {
	unsigned char bytes[4096];
	size_t len;
};

static void
align4(struct blocks *b)
{
	while (b->len % 4 != 0)
		b->bytes[b->len++] = 0;
}

static size_t
block_begin(struct blocks *b, const char *key, unsigned value_len)
{
	size_t at;

	align4(b);
	at = b->len;
	memset(b->bytes + at, 0, 6);
	pe_put(b->bytes + at + 2, value_len, 2);
	b->len += 6;
	for (size_t i = 0; i <= strlen(key); i++) {
		b->bytes[b->len++] = (unsigned char)key[i];
		b->bytes[b->len++] = 0;
	}
	align4(b);
	return at;
}

static void
block_end(struct blocks *b, size_t at, size_t claimed)
{
	pe_put(b->bytes + at, claimed == 0 ? b->len - at : claimed, 2);
}

static size_t
info_begin(struct blocks *b)
{
	size_t at = block_begin(b, "VS_VERSION_INFO", 52);

	memset(b->bytes + b->len, 0, 52);
	pe_put(b->bytes + b->len, 0xfeef04bd, 4);
	b->len += 52;
	return at;
}

static void
string_add(struct blocks *b, const char *key, const char *value, size_t claimed)
{
	size_t at = block_begin(b, key, (unsigned)strlen(value) + 1);

	for (size_t i = 0; value[0] != '\0' && i <= strlen(value); i++) {
		b->bytes[b->len++] = (unsigned char)value[i];
		b->bytes[b->len++] = 0;
	}
	block_end(b, at, claimed);
}

/* The file with `b` as its one resource of `type`. */
static struct span
resource_file(const struct blocks *b, uint32_t type)
{
	struct pe_build pe = pe_build_plain;
	unsigned char *r;
	struct span f;

	pe.size = 0x2000;
	pe.section[1] =
	    (struct pe_build_section){ 0x2000, 0x2000, 0x1800, RSRC };
	pe.dir[2] = (struct exe_dir){ 0x2000, 1 };
	f = pe_build_make(&pe);
	r = (unsigned char *)f.ptr + RSRC;
	memset(r, 0, 0x1800);
	for (unsigned level = 0; level < 3; level++, r += 24) {
		pe_put(r + 14, 1, 2);
		pe_put(r + 16, level == 0 ? type : 1, 4);
		pe_put(
		    r + 20, 24 * (level + 1) + (level < 2 ? 0x80000000 : 0), 4);
	}
	pe_put(r, 0x2000 + VERSION, 4);
	pe_put(r + 4, b->len, 4);
	memcpy((char *)f.ptr + RSRC + VERSION, b->bytes, b->len);
	return f;
}

/* The keys at the offsets found, each followed by a blank. */
static void
keys_find(struct span f, char out[512])
{
	static uint64_t at[PE_VERSION_MAX];
	struct exe x;
	size_t n;

	assert_true(exe_parse(f, &x));
	n = pe_version_info(f, &x, at, PE_VERSION_MAX);
	for (size_t i = 0; i < n; i++) {
		for (uint64_t k = at[i]; k < f.len && f.ptr[k] != 0; k += 2)
			*out++ = f.ptr[k];
		*out++ = ' ';
	}
	*out = '\0';
}

/* Found by signatures with offset VI, in clamscan 1.4.6. */
static const struct version_row {
	const char *name;
	const char *before; /* a block in front of StringFileInfo */
	const char *table;  /* key of the first StringTable */
	size_t table_len;   /* claimed, or 0 */
	struct {
		const char *key, *value;
		size_t len; /* claimed, or 0 */
	} string[3];
	uint32_t type;
	const char *want;
} version_rows[] = {
	{ "strings and those of a second table", NULL, "040904b0", 0,
	    { { "Company", "Khien", 0 }, { "Odd", "x", 0 } }, 16,
	    "Company Odd Second " },
	{ "one VarFileInfo may stand before", "VarFileInfo", "040904b0", 0,
	    { { "Company", "Khien", 0 } }, 16, "Company Second " },
	{ "nothing else may", "VarFileInfX", "040904b0", 0,
	    { { "Company", "Khien", 0 } }, 16, "" },
	{ "an empty value does not count", NULL, "040904b0", 0,
	    { { "CompanyName", "", 0 }, { "Odd", "x", 0 } }, 16,
	    "Odd Second " },
	{ "a table's key has 8 digits", NULL, "0409", 0,
	    { { "Company", "Khien", 0 } }, 16, "" },
	{ "a string too long for its table ends all", NULL, "040904b0", 0,
	    { { "Company", "Khien", 0 }, { "Odd", "x", 200 } }, 16,
	    "Company " },
	{ "as does one of 16 bytes", NULL, "040904b0", 0,
	    { { "Company", "Khien", 16 }, { "Odd", "x", 0 } }, 16, "" },
	{ "a last string that is not padded is lost", NULL, "040904b0", 0,
	    { { "Company", "Khien", 0 }, { "Good", "va", 0 } }, 16,
	    "Company " },
	{ "another type of resource", NULL, "040904b0", 0,
	    { { "Company", "Khien", 0 } }, 15, "" },
};

static void
version_make(const struct version_row *r, struct blocks *b)
{
	size_t info, file, table;

	b->len = 0;
	info = info_begin(b);
	if (r->before != NULL)
		block_end(b, block_begin(b, r->before, 0), 0);
	file = block_begin(b, "StringFileInfo", 0);
	table = block_begin(b, r->table, 0);
	for (size_t i = 0; i < 3 && r->string[i].key != NULL; i++)
		string_add(
		    b, r->string[i].key, r->string[i].value, r->string[i].len);
	block_end(b, table, r->table_len);
	table = block_begin(b, "040904e4", 0);
	string_add(b, "Second", "value", 0);
	align4(b);
	block_end(b, table, 0);
	block_end(b, file, 0);
	block_end(b, info, 0);
}

static void
version_strings_are_found_where_signatures_look(void **state)
{
	static struct blocks b;
	char keys[512];

	(void)state;
	for (size_t i = 0; i < sizeof(version_rows) / sizeof(version_rows[0]);
	     i++) {
		struct span f;

		TEST_CASE(version_rows[i].name);
		version_make(&version_rows[i], &b);
		f = resource_file(&b, version_rows[i].type);
		keys_find(f, keys);
		assert_string_equal(keys, version_rows[i].want);
		free((char *)f.ptr);
	}
}

static void
damaged_version_information_gives_offsets_within(void **state)
{
	static struct blocks b;
	static uint64_t at[PE_VERSION_MAX];
	struct span f;
	struct exe x;

	(void)state;
	version_make(&version_rows[0], &b);
	f = resource_file(&b, 16);
	assert_true(exe_parse(f, &x));
	for (size_t i = RSRC; i < RSRC + VERSION + b.len; i++) {
		char was = f.ptr[i];

		for (int v = -1; v < 2; v++) {
			size_t n;

			((char *)f.ptr)[i] = (char)v;
			n = pe_version_info(f, &x, at, PE_VERSION_MAX);
			for (size_t k = 0; k < n; k++)
				assert_true(at[k] < f.len);
		}
		((char *)f.ptr)[i] = was;
	}
	assert_int_equal(pe_version_info(f, &x, at, 1), 1);
	free((char *)f.ptr);
}

static void
a_resource_directory_that_contains_itself_ends(void **state)
{
	static struct blocks b;
	char keys[512];
	struct span f;
	unsigned char *r;

	(void)state;
	version_make(&version_rows[0], &b);
	f = resource_file(&b, 16);
	r = (unsigned char *)f.ptr + RSRC;
	/* 65,535 entries of the first level, each the root again. */
	pe_put(r + 14, 0xffff, 2);
	for (unsigned i = 16; i + 8 <= 0x1800; i += 8)
		pe_put(r + i + 4, 0x80000000, 4);
	keys_find(f, keys);
	assert_string_equal(keys, "");
	free((char *)f.ptr);
}

/* ---- imports ------------------------------------------------------------------ */

#define BY_NUMBER 0x80000000u
#define LIBRARIES 4u
#define NAMES_AT  0x200u /* of the section */

struct library {
	const char *name;
	uint32_t number[3]; /* imported by number ... */
	const char *by_name[2];
};

/* Section 2 with descriptors, then a thunk table of 32 bytes for each. */
static struct span
imports_file(const struct library *l, bool plus)
{
	struct pe_build pe = pe_build_plain;
	size_t at = NAMES_AT, n = 0, k;
	unsigned char *s;
	struct span f;

	pe.plus = plus;
	pe.size = 0x1000;
	while (n < LIBRARIES && l[n].name != NULL)
		n++;
	pe.dir[1] = (struct exe_dir){ 0x2000, (uint32_t)(n + 1) * 20 };
	f = pe_build_make(&pe);
	s = (unsigned char *)f.ptr + RSRC;
	memset(s, 0, 0x800);
	for (size_t i = 0; i < n; i++) {
		size_t table = 0x100 + i * 32;

		pe_put(s + i * 20 + 12, 0x2000 + at, 4);
		pe_put(s + i * 20 + (i % 2 == 0 ? 0 : 16), 0x2000 + table, 4);
		memcpy(s + at, l[i].name, strlen(l[i].name));
		at += strlen(l[i].name) + 1;
		for (k = 0; k < 3 && l[i].number[k] != 0; k++, table += 4)
			pe_put(s + table, l[i].number[k], 4);
		for (k = 0; k < 2 && l[i].by_name[k] != NULL; k++, table += 4) {
			pe_put(s + table, 0x2000 + at, 4);
			memcpy(s + at + 2, l[i].by_name[k],
			    strlen(l[i].by_name[k]));
			at += strlen(l[i].by_name[k]) + 3;
		}
	}
	return f;
}

/* The texts whose MD5 sigtool --imp of ClamAV 1.4.6 prints. */
static const struct {
	const char *name;
	struct library library[LIBRARIES];
	bool plus;
	const char *want;
} import_rows[] = {
	{ "by name, in lower case",
	    { { "KERNEL32.dll", { 0 }, { "ExitProcess", "Sleep" } } }, false,
	    "kernel32.exitprocess,kernel32.sleep" },
	{ "by number, with a name where one is known",
	    { { "WS2_32.dll", { BY_NUMBER | 1, BY_NUMBER | 115 }, { "send" } },
		{ "wsock32.DLL", { BY_NUMBER | 1 }, { NULL } },
		{ "oleaut32.dll", { BY_NUMBER | 2, BY_NUMBER | 999 },
		    { NULL } } },
	    false,
	    "ws2_32.accept,ws2_32.wsastartup,ws2_32.send,wsock32.accept,"
	    "oleaut32.sysallocstring,oleaut32.ord999" },
	{ "three endings are cut, others not",
	    { { "a.ocx", { BY_NUMBER | 7 }, { NULL } },
		{ "b.sys", { BY_NUMBER | 7 }, { NULL } },
		{ "c.exe", { BY_NUMBER | 7 }, { NULL } },
		{ "d.x.dll", { BY_NUMBER | 7 }, { NULL } } },
	    false, "a.ord7,b.ord7,c.exe.ord7,d.x.dll.ord7" },
	{ "and with them what is behind",
	    { { "ws2_32.dllx", { BY_NUMBER | 1 }, { NULL } } }, false,
	    "ws2_32.accept" },
	{ "without .dll numbers have no name",
	    { { "WS2_32", { BY_NUMBER | 1 }, { NULL } } }, false,
	    "ws2_32.ord1" },
	{ "numbers have 16 bits",
	    { { "a.dll", { BY_NUMBER | 0x120007 }, { NULL } } }, false,
	    "a.ord7" },
	{ "an address of nothing is an empty name",
	    { { "a.dll", { 0x123456 }, { "f" } } }, false, "a.,a.f" },
	{ "a name of C++ spoils the hash",
	    { { "a.dll", { 0 }, { "f", "?g@@YAXXZ" } } }, false, "" },
	{ "a library without functions",
	    { { "a.dll", { 0 }, { NULL } }, { "b.dll", { 0 }, { "f" } } },
	    false, "b.f" },
	{ "a library without a name is one",
	    { { "", { BY_NUMBER | 1 }, { NULL } } }, false, ".ord1" },
	{ "PE32+ has none", { { "a.dll", { 0 }, { "f" } } }, true, "" },
};

static void
imports_are_listed_as_import_hashes_need_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(import_rows) / sizeof(import_rows[0]);
	     i++) {
		struct span f =
		    imports_file(import_rows[i].library, import_rows[i].plus);
		struct buf text = buf_make(PE_IMPORTS_MAX);
		struct exe x;

		TEST_CASE(import_rows[i].name);
		assert_true(exe_parse(f, &x));
		pe_imports(f, &x, &text);
		assert_true(span_is(buf_view(&text), import_rows[i].want));
		buf_free(&text);
		free((char *)f.ptr);
	}
}

static void
an_import_text_over_the_limit_is_none(void **state)
{
	struct span f = imports_file(import_rows[0].library, false);
	struct buf text = buf_make(20);
	struct exe x;

	(void)state;
	assert_true(exe_parse(f, &x));
	pe_imports(f, &x, &text);
	assert_int_equal(text.len, 0);
	buf_free(&text);
	free((char *)f.ptr);
}

/* ---- Authenticode ---------------------------------------------------------------- */

static void
what_authenticode_hashes_is_all_but_four_places(void **state)
{
	static const struct {
		const char *name;
		struct exe_dir dir;
		size_t ranges, table;
	} rows[] = {
		{ "at the end", { 0xf00, 0x100 }, 4, 0x100 },
		{ "bytes follow", { 0xe00, 0x100 }, 4, 0x100 },
		{ "none", { 0, 0 }, 0, 0 },
		{ "beyond the file", { 0xf00, 0x101 }, 0, 0 },
		{ "in the header", { 0x40, 0x100 }, 0, 0 },
		{ "wraps", { 0xffffff00, 0x200 }, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pe_build pe = pe_build_plain;
		struct pe_certificates c;
		size_t total = 0;
		struct span f;
		struct exe x;

		TEST_CASE(rows[i].name);
		pe.dir[4] = rows[i].dir;
		f = pe_build_make(&pe);
		assert_true(exe_parse(f, &x));
		pe_certificates(f, &x, &c);
		assert_int_equal(c.ranges, rows[i].ranges);
		assert_int_equal(c.table.len, rows[i].table);
		for (size_t k = 0; k < c.ranges; k++)
			total += c.range[k].len;
		if (c.ranges > 0) {
			assert_int_equal(total, f.len - 4 - 8 - c.table.len);
			assert_ptr_equal(c.range[0].ptr, f.ptr);
			assert_int_equal(c.range[0].len, PE_AT + 24 + 64);
			assert_ptr_equal(
			    c.range[1].ptr, f.ptr + PE_AT + 24 + 64 + 4);
			assert_ptr_equal(
			    c.range[2].ptr, f.ptr + PE_AT + 24 + 96 + 40);
		}
		free((char *)f.ptr);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    version_strings_are_found_where_signatures_look),
		cmocka_unit_test(
		    damaged_version_information_gives_offsets_within),
		cmocka_unit_test(
		    a_resource_directory_that_contains_itself_ends),
		cmocka_unit_test(imports_are_listed_as_import_hashes_need_them),
		cmocka_unit_test(an_import_text_over_the_limit_is_none),
		cmocka_unit_test(
		    what_authenticode_hashes_is_all_but_four_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
