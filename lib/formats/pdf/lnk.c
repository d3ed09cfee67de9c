/* Shell links ([MS-SHLLINK] 2.1 to 2.5). */

#include <string.h>

#include "base/buf.h"
#include "formats/bytes.h"
#include "formats/pdf/pdf.h"
#include "formats/pdf/wide.h"

#define HEAD      76u
#define ITEMS_MAX 256u
#define TEXT_MAX  (4u << 20)

enum { /* LinkFlags */
	HAS_ID_LIST = 1u << 0,
	HAS_LINK_INFO = 1u << 1,
	IS_UNICODE = 1u << 7,
	NO_LINK_INFO = 1u << 8
};

struct lnk {
	struct span s;
	uint64_t at;
	uint32_t flags;
	struct buf text;
	bool damaged;
};

static void
add_line(struct lnk *l, const char *what, struct span s, bool wide)
{
	if (s.len == 0)
		return;
	buf_text(&l->text, what);
	buf_text(&l->text, ": ");
	if (wide)
		wide_add_utf16(&l->text, s, false);
	else
		wide_add_latin1(&l->text, s);
	buf_char(&l->text, '\n');
}

/* The string at `at`, up to its zero or the end of s. */
static struct span
take_zero(struct span s, uint64_t at, bool wide)
{
	size_t step = wide ? 2 : 1, n = 0;

	s = bytes_sub(s, at, s.len);
	while (n + step <= s.len && (s.ptr[n] != 0 || s.ptr[n + step - 1] != 0))
		n += step;
	s.len = n;
	return s;
}

/* The long name of a file or folder: a block of Windows's own behind the short
 * one, in which it stands the later the newer the version. */
static void
add_long_name(struct lnk *l, struct span item)
{
	const char *sign = item.len == 0
	    ? NULL
	    : memmem(item.ptr, item.len, "\x04\0\xef\xbe", 4);
	uint64_t at;
	uint16_t version;

	if (sign == NULL || sign - item.ptr < 4)
		return;
	at = (uint64_t)(sign - item.ptr) - 4;
	(void)bytes_le16(item, at + 2, &version);
	at += 20u + (version >= 7 ? 18u : 0u) + (version >= 8 ? 4u : 0u) +
	    (version >= 9 ? 4u : 0u);
	add_line(l, "item", take_zero(item, at, true), true);
}

/* Names of one item of a path: drives, folders and files. */
static void
add_item(struct lnk *l, struct span item)
{
	uint8_t type;
	bool wide;

	if (!bytes_u8(item, 0, &type))
		return;
	wide = (type & 0x74) == 0x34;
	if ((type & 0x70) == 0x20)
		add_line(l, "item", take_zero(item, 1, false), false);
	else if ((type & 0x70) == 0x30)
		add_line(l, "item", take_zero(item, 12, wide), wide);
	else if ((type & 0x70) == 0x40)
		add_line(l, "item", take_zero(item, 3, false), false);
	add_long_name(l, item);
}

static void
read_id_list(struct lnk *l)
{
	struct span list;
	uint16_t size;
	uint64_t at = 0;

	if ((l->flags & HAS_ID_LIST) == 0)
		return;
	l->damaged |= !bytes_le16(l->s, l->at, &size);
	list = bytes_sub(l->s, l->at + 2, size);
	l->damaged |= list.len < size;
	l->at += 2u + size;
	for (unsigned i = 0; i < ITEMS_MAX; i++) {
		if (!bytes_le16(list, at, &size) || size < 2)
			break;
		add_item(l, bytes_sub(list, at + 2, size - 2u));
		at += size;
	}
}

static void
add_info(
    struct lnk *l, struct span info, uint64_t at, const char *what, bool wide)
{
	uint32_t off;

	if (bytes_le32(info, at, &off) && off > 0)
		add_line(l, what, take_zero(info, off, wide), wide);
}

static void
read_link_info(struct lnk *l)
{
	struct span info;
	uint32_t size, head, network;

	if ((l->flags & HAS_LINK_INFO) == 0 || (l->flags & NO_LINK_INFO) != 0)
		return;
	l->damaged |= !bytes_le32(l->s, l->at, &size);
	info = bytes_sub(l->s, l->at, size);
	l->damaged |= info.len < size;
	l->at += size < 4 ? 4 : size;
	(void)bytes_le32(info, 4, &head);
	add_info(l, info, 16, "base path", false);
	if (bytes_le32(info, 20, &network) && network > 0)
		add_info(
		    l, bytes_sub(info, network, info.len), 8, "share", false);
	add_info(l, info, 24, "path suffix", false);
	if (head >= 0x24) {
		add_info(l, info, 28, "base path", true);
		add_info(l, info, 32, "path suffix", true);
	}
}

static void
read_strings(struct lnk *l)
{
	static const char *const names[] = { "name", "relative path",
		"working directory", "arguments", "icon" };
	bool wide = (l->flags & IS_UNICODE) != 0;

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct span s;
		uint16_t n;
		uint64_t size;

		if ((l->flags & 4u << i) == 0)
			continue;
		l->damaged |= !bytes_le16(l->s, l->at, &n);
		size = wide ? 2u * n : n;
		s = bytes_sub(l->s, l->at + 2, size);
		l->damaged |= s.len < size;
		l->at += 2 + size;
		add_line(l, names[i], s, wide);
	}
}

/* One block of extra data: some hold a string of 260 characters twice. */
static void
add_block(struct lnk *l, struct span block)
{
	static const struct {
		uint32_t signature;
		const char *name;
	} known[] = {
		{ 0xa0000001, "environment" },
		{ 0xa0000006, "darwin" },
		{ 0xa0000007, "icon environment" },
	};
	uint32_t signature;

	(void)bytes_le32(block, 4, &signature);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (signature != known[i].signature)
			continue;
		add_line(l, known[i].name,
		    take_zero(bytes_sub(block, 8, 260), 0, false), false);
		add_line(l, known[i].name,
		    take_zero(bytes_sub(block, 268, 520), 0, true), true);
	}
	if (signature == 0xa0000003)
		add_line(l, "machine",
		    take_zero(bytes_sub(block, 16, 16), 0, false), false);
}

/* False if the time is over. */
static bool
read_extra(struct lnk *l, struct peel *out)
{
	uint32_t size;

	for (unsigned n = 1; bytes_le32(l->s, l->at, &size); n++) {
		if (size < 4) { /* the terminal block */
			l->at += 4;
			return true;
		}
		add_block(l, bytes_sub(l->s, l->at, size));
		if (!bytes_have(l->s, l->at, size)) {
			l->damaged = true;
			break;
		}
		l->at += size;
		if (n % 4096 == 0 && !peel_tick(out))
			return false;
	}
	l->at = l->s.len;
	return true;
}

static void
give(struct lnk *l, struct peel *out)
{
	struct peel_member text = peel_named(SPAN("lnk"), FORMAT_ANY);
	struct peel_member overlay = peel_named(SPAN("overlay"), FORMAT_ANY);
	struct span rest = bytes_sub(l->s, l->at, l->s.len);

	text.size = l->text.len;
	overlay.size = overlay.packed = rest.len;
	if (l->text.len > 0 && !peel_slice(out, &text, buf_view(&l->text)))
		return;
	if (rest.len > 0 && !peel_slice(out, &overlay, rest))
		return;
	if (l->damaged)
		peel_note(out, PEEL_DAMAGED);
	if (l->text.full)
		peel_note(out, PEEL_UNSUPPORTED);
}

void
open_lnk(struct span object, struct peel *out)
{
	struct lnk l = { .s = object, .at = HEAD };

	if (!bytes_are(object, 0,
		SPAN("L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F")) ||
	    !bytes_le32(object, 20, &l.flags))
		return;
	l.text = buf_make(TEXT_MAX);
	read_id_list(&l);
	read_link_info(&l);
	read_strings(&l);
	if (read_extra(&l, out))
		give(&l, out);
	buf_free(&l.text);
}
