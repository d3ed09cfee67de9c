#include "endpoint/inventory.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "crypt/crypt.h"

#define FILE_MAX 16384 /* of what is read from /proc, /sys, /etc */
#define TEXT_MAX 128
#define HOST_MAX 253
#define LIST_MAX 64
#define MAC_LEN  17 /* aa:bb:cc:dd:ee:ff */
#define SECTOR   UINT64_C(512)
#define MEGABYTE (UINT64_C(1) << 20)

/* ---- reading -------------------------------------------------------------- */

/* Files of /proc and /sys have no size; what is longer than the limit is cut:
 * the facts stand at the beginning.  An unreadable file is empty. */
static struct span
read_fact(const char *root, const char *path, struct buf *b)
{
	char full[PATH_MAX], piece[4096];
	ssize_t n;
	int fd;

	buf_clear(b);
	if ((size_t)snprintf(full, sizeof(full), "%s%s", root, path) >=
	    sizeof(full))
		return (struct span){ "", 0 };
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return (struct span){ "", 0 };
	while (!b->full && (n = read(fd, piece, sizeof(piece))) > 0)
		buf_add(b, piece, (size_t)n);
	(void)close(fd);
	return span_trim(b->len == 0 ? (struct span){ "", 0 } : buf_view(b));
}

/* The value behind "KEY" and a separator at the beginning of a line. */
static struct span
line_value(struct span text, const char *key, char separator)
{
	while (text.len > 0) {
		struct span line = span_cut(text, '\n', &text), value;
		struct span name = span_trim(span_cut(line, separator, &value));

		if (span_is(name, key))
			return span_trim(value);
	}
	return (struct span){ "", 0 };
}

static struct span
unquoted(struct span s)
{
	if (s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '\'') &&
	    s.ptr[s.len - 1] == s.ptr[0])
		return (struct span){ s.ptr + 1, s.len - 2 };
	return s;
}

static void
put_fact(json_t *o, const char *key, struct span s, size_t max)
{
	if (s.len > 0 && s.len <= max && span_utf8(s))
		json_put_text(o, key, s);
}

/* Files of DIR/NAME/ below the root. */
struct entry {
	const char *root, *dir, *name;
};

/* Calls `each` for the entries of a folder, in order. */
static void
for_entries(const char *root, const char *dir,
    void each(const struct entry *en, void *arg), void *arg)
{
	struct entry en = { .root = root, .dir = dir };
	struct dirent **names;
	char full[PATH_MAX];
	int n;

	(void)snprintf(full, sizeof(full), "%s%s", root, dir);
	n = scandir(full, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		en.name = names[i]->d_name;
		if (en.name[0] != '.')
			each(&en, arg);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static bool
has(const struct entry *en, const char *leaf)
{
	char path[PATH_MAX];

	return (size_t)snprintf(path, sizeof(path), "%s%s/%s/%s", en->root,
		   en->dir, en->name, leaf) < sizeof(path) &&
	    access(path, F_OK) == 0;
}

static struct span
read_leaf(const struct entry *en, const char *leaf, struct buf *b)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", en->dir, en->name, leaf);
	return read_fact(en->root, path, b);
}

/* ---- what kind of computer -------------------------------------------------- */

/* SMBIOS 3.6, table 17. */
static const char *
kind_of_chassis(uint64_t type)
{
	static const struct {
		uint64_t type;
		const char *kind;
	} chassis[] = {
		{ 3, "workstation" },  /* desktop */
		{ 4, "workstation" },  /* low profile desktop */
		{ 5, "workstation" },  /* pizza box */
		{ 6, "workstation" },  /* mini tower */
		{ 7, "workstation" },  /* tower */
		{ 8, "workstation" },  /* portable */
		{ 9, "workstation" },  /* laptop */
		{ 10, "workstation" }, /* notebook */
		{ 11, "terminal" },    /* hand held */
		{ 13, "workstation" }, /* all in one */
		{ 14, "workstation" }, /* sub notebook */
		{ 15, "workstation" }, /* space-saving */
		{ 16, "workstation" }, /* lunch box */
		{ 17, "server" },      /* main server chassis */
		{ 23, "server" },      /* rack mount */
		{ 25, "server" },      /* multi-system */
		{ 28, "server" },      /* blade */
		{ 29, "server" },      /* blade enclosure */
		{ 30, "terminal" },    /* tablet */
		{ 31, "workstation" }, /* convertible */
		{ 32, "terminal" },    /* detachable */
		{ 33, "terminal" },    /* IoT gateway */
		{ 34, "terminal" },    /* embedded PC */
		{ 35, "workstation" }, /* mini PC */
		{ 36, "workstation" }, /* stick PC */
	};

	for (size_t i = 0; i < COUNT(chassis); i++)
		if (chassis[i].type == type)
			return chassis[i].kind;
	return NULL;
}

static void
count_entry(const struct entry *en, void *arg)
{
	(void)en;
	++*(size_t *)arg;
}

/* By its chassis; where that says nothing (virtual machines), one with a
 * graphical session to offer is somebody's desk. */
static const char *
kind_of(const char *root, struct buf *b)
{
	struct span s = read_fact(root, "/sys/class/dmi/id/chassis_type", b);
	const char *kind = NULL;
	size_t sessions = 0;
	uint64_t type;

	if (span_u64(s, 255, &type) == OK)
		kind = kind_of_chassis(type);
	if (kind != NULL)
		return kind;
	for_entries(root, "/usr/share/xsessions", count_entry, &sessions);
	for_entries(
	    root, "/usr/share/wayland-sessions", count_entry, &sessions);
	return sessions > 0 ? "workstation" : "server";
}

/* ---- sizes ------------------------------------------------------------------ */

struct disks {
	struct buf *b;
	uint64_t sectors;
};

static void
add_disk(const struct entry *en, void *arg)
{
	struct disks *d = arg;
	uint64_t n;

	if (has(en, "device") &&
	    !span_is(read_leaf(en, "removable", d->b), "1") &&
	    span_u64(read_leaf(en, "size", d->b), UINT64_MAX / SECTOR, &n) ==
		OK)
		d->sectors += n;
}

static void
put_sizes(const char *root, json_t *o, struct buf *b)
{
	struct disks d = { .b = b };
	struct span s;
	uint64_t kb;

	s = line_value(read_fact(root, "/proc/meminfo", b), "MemTotal", ':');
	if (span_u64(span_cut(s, ' ', &s), UINT32_MAX, &kb) == OK)
		json_put_int(o, "memory_mb", (int64_t)(kb / 1024));
	for_entries(root, "/sys/block", add_disk, &d);
	if (d.sectors > 0)
		json_put_int(
		    o, "disk_mb", (int64_t)(d.sectors / (MEGABYTE / SECTOR)));
}

/* ---- the network -------------------------------------------------------------- */

struct macs {
	struct buf *b;
	json_t *list;
	bool lasting; /* only those that stay with the computer */
};

static void
add_mac(const struct entry *en, void *arg)
{
	struct macs *m = arg;
	struct span mac;

	/* Virtual interfaces have no device. */
	if (!has(en, "device") || json_array_size(m->list) >= LIST_MAX)
		return;
	/* Adapters come and go, and wireless ones take random addresses. */
	if (m->lasting &&
	    (has(en, "wireless") || has(en, "phy80211") ||
		has(en, "device/bInterfaceNumber") /* USB */ ||
		!span_is(read_leaf(en, "addr_assign_type", m->b), "0")))
		return;
	mac = read_leaf(en, "address", m->b);
	if (mac.len == MAC_LEN && !span_is(mac, "00:00:00:00:00:00"))
		(void)json_array_append_new(
		    m->list, json_stringn(mac.ptr, mac.len));
}

static json_t *
read_macs(const char *root, bool lasting, struct buf *b)
{
	struct macs m = { b, json_array(), lasting };

	for_entries(root, "/sys/class/net", add_mac, &m);
	return m.list;
}

static void
add_address(const struct ifaddrs *ia, json_t *list)
{
	const void *sa = ia->ifa_addr;
	char text[INET6_ADDRSTRLEN];
	const void *address = NULL;

	if (sa == NULL || (ia->ifa_flags & IFF_LOOPBACK) != 0)
		return;
	if (ia->ifa_addr->sa_family == AF_INET) {
		address = &((const struct sockaddr_in *)sa)->sin_addr;
	} else if (ia->ifa_addr->sa_family == AF_INET6) {
		const struct in6_addr *six =
		    &((const struct sockaddr_in6 *)sa)->sin6_addr;

		address = IN6_IS_ADDR_LINKLOCAL(six) ? NULL : six;
	}
	if (address != NULL && json_array_size(list) < LIST_MAX &&
	    inet_ntop(ia->ifa_addr->sa_family, address, text, sizeof(text)) !=
		NULL)
		(void)json_array_append_new(list, json_string(text));
}

static void
put_network(const char *root, json_t *o, struct buf *b)
{
	json_t *addresses = json_array();
	struct ifaddrs *list = NULL;

	/* The addresses of this computer are not those of a laid-out one. */
	if (root[0] == '\0' && getifaddrs(&list) == 0) {
		for (struct ifaddrs *ia = list; ia != NULL; ia = ia->ifa_next)
			add_address(ia, addresses);
		freeifaddrs(list);
	}
	json_put_new(o, "addresses", addresses);
	json_put_new(o, "macs", read_macs(root, false, b));
}

enum err
inventory_read(const char *root, json_t **out, struct errinfo *ei)
{
	struct buf b = buf_make(FILE_MAX);
	json_t *o = json_object();
	struct utsname un;
	struct span s;

	if (o == NULL)
		return err_set(ei, ERR_NOMEM, "inventory");
	put_fact(o, "host", read_fact(root, "/proc/sys/kernel/hostname", &b),
	    HOST_MAX);
	json_put_text(o, "kind", span_of(kind_of(root, &b)));
	s = read_fact(root, "/etc/os-release", &b);
	put_fact(o, "os", unquoted(line_value(s, "NAME", '=')), TEXT_MAX);
	put_fact(o, "os_version", unquoted(line_value(s, "VERSION_ID", '=')),
	    TEXT_MAX);
	put_fact(o, "kernel", read_fact(root, "/proc/sys/kernel/osrelease", &b),
	    TEXT_MAX);
	if (uname(&un) == 0)
		put_fact(o, "arch", span_of(un.machine), 32);
	s = read_fact(root, "/proc/cpuinfo", &b);
	put_fact(o, "cpu", line_value(s, "model name", ':'), TEXT_MAX);
	put_sizes(root, o, &b);
	put_network(root, o, &b);
	buf_free(&b);
	*out = o;
	return OK;
}

/* ---- the fingerprint ------------------------------------------------------------ */

/* What makers leave in the place of a number. */
static bool
is_fake(struct span s)
{
	static const char *const fakes[] = {
		"03000200-0400-0500-0006-000700080009",
		"to be filled by o.e.m.",
		"default string",
		"system serial number",
		"chassis serial number",
		"serial number",
		"not settable",
		"not specified",
		"not applicable",
		"not available",
		"invalid",
		"unknown",
		"none",
		"oem",
		"o.e.m.",
		"n/a",
		"0123456789",
		"123456789",
		"1234567890",
	};
	size_t same = 0;

	for (size_t i = 0; i < COUNT(fakes); i++)
		if (strlen(fakes[i]) == s.len &&
		    strncasecmp(fakes[i], s.ptr, s.len) == 0)
			return true;
	/* 00000000-0000-..., ffffffff-ffff-..., xxxxxxxx */
	for (size_t i = 0; i < s.len; i++)
		same +=
		    s.ptr[i] == s.ptr[0] || s.ptr[i] == '-' || s.ptr[i] == ' ';
	return same == s.len;
}

static bool
add_dmi(const char *root, const char *path, struct buf *b, struct buf *facts)
{
	struct span s = read_fact(root, path, b);

	if (s.len == 0 || is_fake(s))
		return false;
	buf_text(facts, path);
	buf_char(facts, '=');
	buf_span(facts, s);
	buf_char(facts, '\n');
	return true;
}

enum err
inventory_fingerprint(const char *root, char out[65], struct errinfo *ei)
{
	struct buf b = buf_make(FILE_MAX), facts = buf_make(FILE_MAX * 4);
	unsigned char digest[SHA256_LEN];
	bool known;
	enum err e;

	buf_text(&facts, "machine-id=");
	buf_span(&facts, read_fact(root, "/etc/machine-id", &b));
	buf_char(&facts, '\n');
	known = add_dmi(root, "/sys/class/dmi/id/product_uuid", &b, &facts);
	known |= add_dmi(root, "/sys/class/dmi/id/product_serial", &b, &facts);
	/* A network card may be changed: it counts where there is nothing
	 * better. */
	if (!known) {
		json_t *macs = read_macs(root, true, &b), *mac;
		size_t i;

		json_array_foreach (macs, i, mac)
			buf_fmt(&facts, "mac=%s\n", json_string_value(mac));
		json_decref(macs);
	}
	e = buf_check(&facts, ei);
	if (e == OK) {
		sha256(buf_view(&facts), digest);
		hex_encode(digest, sizeof(digest), out);
	}
	buf_free(&b);
	buf_free(&facts);
	return e;
}
