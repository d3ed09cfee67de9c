/* InstallShield: what its self-extracting programs carry.
 *
 * With cabinets: behind the program, for each file its name, path, version and
 * size as texts, then its bytes.  A cabinet ("ISc(") is one or more of these
 * files: data1.hdr with the directory, data1.cab, data2.cab, ... with the
 * bytes.  A directory and its volumes in one file are read as well.
 *
 * With an MSI: "InstallShield", then for each file a record of 312 bytes and
 * its bytes, deflated and hidden behind its name. */

#include <string.h>

#include "base/buf.h"
#include "formats/bytes.h"
#include "formats/exe/exe.h"
#include "formats/pack/codec.h"
#include "formats/pack/pack.h"

/* ---- cabinets ------------------------------------------------------------------------ */

#define CAB_MAGIC   "ISc("
#define FILES_MAX   256u /* of the overlay that are kept in mind */
#define TEXT_MAX    260u
#define DIGITS_MAX  10u
#define DESCRIPTION 0x57u /* bytes that say something of a file */
#define IS_SPLIT    1u
#define IS_HIDDEN   2u
#define IS_PACKED   4u
#define IS_NOTHING  8u

struct carried {
	struct span name, bytes;
};
struct ishield {
	struct peel *out;
	struct carried file[FILES_MAX];
	size_t files;
	bool wanted, damaged, unsupported;
};

static bool
take_carried(struct span s, size_t *at, struct carried *c)
{
	struct span path, version, size;
	uint64_t n;

	if (!bytes_text(s, at, TEXT_MAX, &c->name) || c->name.len == 0 ||
	    !bytes_text(s, at, TEXT_MAX, &path) ||
	    !bytes_text(s, at, TEXT_MAX, &version) ||
	    !bytes_text(s, at, TEXT_MAX, &size) || size.len > DIGITS_MAX ||
	    span_u64(size, UINT32_MAX, &n) != OK)
		return false;
	c->bytes = bytes_sub(s, *at, n);
	*at += c->bytes.len;
	return true;
}

/* Where the texts in front of the first cabinet begin: four of them, each
 * behind a NUL. */
static size_t
first_carried(struct span s, size_t cabinet)
{
	size_t at = cabinet;

	for (int texts = 0; texts < 4; texts++) {
		size_t end = at;

		while (at > 1 && s.ptr[at - 2] != '\0' && end - at < TEXT_MAX)
			at--;
		if (at <= 1 || end == at)
			return cabinet;
		at--;
	}
	return at;
}

static void
take_all(struct ishield *is, struct span s, size_t at)
{
	while (
	    is->files < FILES_MAX && take_carried(s, &at, &is->file[is->files]))
		is->files++;
}

/* The volume of this number: "data2.cab". */
static struct span
volume_of(const struct ishield *is, unsigned number, struct span own)
{
	for (size_t i = 0; i < is->files; i++) {
		struct span name = is->file[i].name;
		uint64_t n;

		if (!span_ends(name, ".cab") || name.len < 6 ||
		    !span_starts(is->file[i].bytes, CAB_MAGIC))
			continue;
		while (name.len > 0 && (name.ptr[0] < '0' || name.ptr[0] > '9'))
			name = span_from(name, 1);
		name.len -= name.len > 4 ? 4 : name.len;
		if (span_u64(name, UINT16_MAX, &n) == OK && n == number)
			return is->file[i].bytes;
	}
	return own;
}

/* Chunks of deflated bytes, each behind its length. */
static bool
unpack_chunks(struct span packed, struct flow *f)
{
	size_t at = 0;
	uint16_t n;

	while (flow_wants(f) && bytes_le16(packed, at, &n) && n > 0) {
		if (!codec_deflate(bytes_sub(packed, at + 2, n), f, NULL))
			return false;
		at += 2 + (size_t)n;
	}
	return true;
}

static void
give_file(struct ishield *is, struct span volume, const struct peel_member *m,
    unsigned flags, uint64_t at)
{
	struct span packed = bytes_sub(volume, at, m->packed);
	struct flow f;
	bool ok;

	if ((flags & IS_PACKED) == 0) {
		is->wanted = packed.len == 0 || peel_slice(is->out, m, packed);
		return;
	}
	if (!flow_begin(&f, is->out, m, CODEC_RING, 0, m->size)) {
		is->wanted = false;
		return;
	}
	ok = unpack_chunks(packed, &f);
	is->wanted = flow_end(&f, ok);
}

/* The description at `at` of the directory. */
static void
take_file(struct ishield *is, struct span cabinet, struct span directory,
    struct span names, uint64_t at)
{
	uint16_t flags, volume;
	uint32_t size, packed, offset, name;
	struct peel_member m;
	struct span text = { "", 0 };
	size_t from;

	if (!bytes_le16(directory, at, &flags) ||
	    !bytes_le32(directory, at + 2, &size) ||
	    !bytes_le32(directory, at + 10, &packed) ||
	    !bytes_le32(directory, at + 18, &offset) ||
	    !bytes_le32(directory, at + 58, &name) ||
	    !bytes_le16(directory, at + 85, &volume)) {
		is->damaged = true;
		return;
	}
	from = name;
	/* Without an offset it is carried beside the cabinet. */
	if (packed == 0 || offset == 0 || (flags & IS_NOTHING) != 0 ||
	    !bytes_text(names, &from, TEXT_MAX, &text))
		return;
	if ((flags & (IS_SPLIT | IS_HIDDEN)) != 0) {
		is->unsupported = true;
		return;
	}
	m = peel_named(text, FORMAT_ANY);
	m.size = size;
	m.packed = packed;
	give_file(is, volume_of(is, volume, cabinet), &m, flags, offset);
}

static void
open_cabinet(struct ishield *is, struct span cabinet)
{
	uint32_t at, size, table, files, first;
	struct span directory, names;

	if (!bytes_le32(cabinet, 12, &at) || !bytes_le32(cabinet, 16, &size) ||
	    size == 0)
		return; /* a volume */
	directory = span_from(cabinet, at);
	if (!bytes_le32(directory, 0x0c, &table) ||
	    !bytes_le32(directory, 0x28, &files) ||
	    !bytes_le32(directory, 0x2c, &first)) {
		is->damaged = true;
		return;
	}
	names = span_from(directory, table);
	for (uint32_t i = 0; i < files && is->wanted && !is->damaged; i++) {
		take_file(is, cabinet, directory, names,
		    (uint64_t)table + first + (uint64_t)i * DESCRIPTION);
		is->wanted = is->wanted && peel_tick(is->out);
	}
}

/* Files of the program that are no part of a cabinet come out as they are. */
static void
give_carried(struct ishield *is)
{
	for (size_t i = 0; i < is->files && is->wanted; i++) {
		const struct carried *c = &is->file[i];
		struct peel_member m = peel_named(c->name, FORMAT_ANY);

		m.size = c->bytes.len;
		if (span_starts(c->bytes, CAB_MAGIC))
			open_cabinet(is, c->bytes);
		else if (c->bytes.len > 0)
			is->wanted = peel_slice(is->out, &m, c->bytes);
	}
}

void
open_ishield(struct span object, struct peel *out)
{
	struct ishield is = { .out = out, .wanted = true };
	const char *p = memmem(object.ptr, object.len, CAB_MAGIC, 4);
	struct exe x;

	if (exe_parse(object, &x) && x.overlay > 0)
		take_all(&is, object, (size_t)x.overlay);

	while (p != NULL && is.files == 0) {
		size_t cabinet = (size_t)(p - object.ptr);

		take_all(&is, object, first_carried(object, cabinet));
		p = memmem(p + 1, (size_t)(object.ptr + object.len - p - 1),
		    CAB_MAGIC, 4);
	}
	if (is.files > 0)
		give_carried(&is);
	else if (span_starts(object, CAB_MAGIC))
		open_cabinet(&is, object);
	if (is.damaged && is.wanted)
		peel_note(out, PEEL_DAMAGED);
	if (is.unsupported && is.wanted)
		peel_note(out, PEEL_UNSUPPORTED);
}

/* ---- MSI ------------------------------------------------------------------------------ */

#define MSI_MAGIC  "InstallShield" /* and its NUL */
#define MSI_HEAD   46u
#define MSI_RECORD 312u
#define MSI_FILES  1000u
#define BLOCK      1024u /* the key begins anew */

/* A byte as it was before it was hidden behind the name. */
static char
revealed(struct span name, size_t i, char c)
{
	static const unsigned char key[] = { 0x13, 0x35, 0x86, 0x07 };
	size_t k = i % BLOCK % name.len;
	unsigned v = (unsigned char)c;

	v = (v << 4 | v >> 4) & 0xff;
	return (char)~(v ^ (unsigned char)name.ptr[k] ^ key[k % sizeof(key)]);
}

/* False: the sink wants no more. */
static bool
give_hidden(struct peel *out, struct span name, struct span hidden)
{
	struct buf bytes = buf_make(hidden.len);
	struct peel_member m = peel_named(name, FORMAT_ANY);
	struct flow f;
	bool more;

	m.packed = hidden.len;
	for (size_t i = 0; i < hidden.len; i++)
		buf_char(&bytes, revealed(name, i, hidden.ptr[i]));
	if (!flow_begin(&f, out, &m, CODEC_RING, 0, UINT64_MAX)) {
		buf_free(&bytes);
		return false;
	}
	more = flow_end(&f, codec_zlib(buf_view(&bytes), &f, NULL));
	buf_free(&bytes);
	return more;
}

/* The files behind one "InstallShield"; false: enough. */
static bool
take_hidden(struct span s, struct peel *out)
{
	uint16_t files;
	size_t at = MSI_HEAD;

	if (!bytes_le16(s, 14, &files) || files > MSI_FILES)
		return true;
	for (unsigned i = 0; i < files; i++) {
		struct span name, bytes;
		size_t text = at;
		uint32_t len;

		if (!bytes_have(s, at, MSI_RECORD) ||
		    !bytes_text(s, &text, TEXT_MAX, &name) || name.len == 0 ||
		    !bytes_le32(s, at + 0x10c, &len))
			return true;
		bytes = bytes_sub(s, at + MSI_RECORD, len);
		if (bytes.len < len)
			return true;
		if (len > 0 && !give_hidden(out, name, bytes))
			return false;
		at += MSI_RECORD + (size_t)len;
	}
	return true;
}

void
open_ishield_msi(struct span object, struct peel *out)
{
	size_t at = 0;

	while (at < object.len) {
		const char *p = memmem(object.ptr + at, object.len - at,
		    MSI_MAGIC, sizeof(MSI_MAGIC));

		if (p == NULL)
			return;
		at = (size_t)(p - object.ptr);
		if (!take_hidden(span_from(object, at), out))
			return;
		at += sizeof(MSI_MAGIC);
	}
}
