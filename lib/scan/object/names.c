#include <string.h>

#include "formats/bytes.h"
#include "formats/peel.h"
#include "scan/object/scanner_int.h"

/* Signatures of what a container says of a member: its name, sizes, place. */

struct asking {
	struct scanner *s;
	const struct object *container;
	const struct member_facts *facts;
};

/* An entry of a zip's directory with this name says how long it is packed;
 * libarchive does not tell. */
static uint64_t
zip_packed(struct span zip, struct span name)
{
	const size_t head = 46, size_at = 20, len_at = 28;
	uint32_t packed = 0;
	uint16_t len = 0;
	size_t at = 0;

	while (zip.len - at >= head) {
		const char *p = memmem(zip.ptr + at, zip.len - at, "PK\1\2", 4);

		if (p == NULL)
			break;
		at = (size_t)(p - zip.ptr);
		if (bytes_le16(zip, at + len_at, &len) && len == name.len &&
		    bytes_are(zip, at + head, name) &&
		    bytes_le32(zip, at + size_at, &packed))
			return packed;
		at += 4;
	}
	return PEEL_UNKNOWN;
}

static uint64_t
packed_size(const struct asking *a)
{
	if (a->facts->packed != PEEL_UNKNOWN)
		return a->facts->packed;
	if (a->container->format == FORMAT_POSIX_TAR ||
	    a->container->format == FORMAT_OLD_TAR)
		return a->facts->size;
	return zip_packed(a->container->bytes, a->facts->name);
}

static uint64_t
fact(const struct asking *a, enum sig_condition kind)
{
	switch (kind) {
	case COND_CONTAINER_SIZE:
		return a->container->bytes.len;
	case COND_PACKED:
		return packed_size(a);
	case COND_SIZE:
		return a->facts->size;
	case COND_POSITION:
		return a->facts->position;
	default:
		return PEEL_UNKNOWN;
	}
}

static bool
conditions_hold(const struct asking *a, struct span conditions)
{
	struct reader r = reader_of(conditions);

	while (r.p < r.end && !r.bad) {
		enum sig_condition kind =
		    (enum sig_condition)read_number(&r, CONDITIONS - 1);
		uint64_t from = read_number(&r, UINT32_MAX), to, n;

		if (kind == COND_ENCRYPTED) {
			if (from != a->facts->encrypted)
				return false;
			continue;
		}
		to = read_number(&r, UINT32_MAX);
		n = fact(a, kind);
		if (n < from || n > to)
			return false;
	}
	return !r.bad;
}

static bool
name_fits(const struct asking *a, const struct sig *sig)
{
	struct reader r = reader_of(sig->sub[0]);
	bool name = read_number(&r, SUB_KINDS - 1) == SUB_NAME;
	struct span flags = read_span(&r, read_number(&r, PART_MAX));
	struct span masked = read_span(&r, read_number(&r, PART_MAX));

	if (!name || r.bad || masked.len == 0)
		return name && !r.bad;
	return matcher_name_fits(
	    a->s->matcher, sig->at, masked, flags, a->facts->name);
}

bool
names_look(struct scanner *s, const struct object *member,
    const struct member_facts *facts)
{
	struct set_region all = s->set->dir->members;
	const struct set_member *m =
	    all.size == 0 ? NULL : set_region(s->set, all);
	struct asking a = { s, member->parent, facts };
	struct sig sig;

	for (uint64_t i = 0; m != NULL && i < all.size / sizeof(*m); i++) {
		if (m[i].format != FORMAT_ANY &&
		    m[i].format != a.container->format)
			continue;
		if (sig_read(set_record(s->set, m[i].sig), m[i].sig, &sig) &&
		    conditions_hold(&a, sig.conditions) &&
		    name_fits(&a, &sig) && look_found(s, member, &sig.name))
			return true;
	}
	return false;
}
