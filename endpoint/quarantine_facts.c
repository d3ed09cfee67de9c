#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/json.h"
#include "crypt/crypt.h"
#include "endpoint/quarantine_int.h"

#define PIECE 65536

/* ---- capturing ----------------------------------------------------------------- */

enum err
file_digest(int fd, unsigned char out[32], uint64_t *size, struct errinfo *ei)
{
	struct digest *d = digest_new();
	unsigned char bytes[PIECE], sum[DIGEST_MAX];
	uint64_t at = 0;
	ssize_t n;
	enum err e;

	if (d == NULL)
		return err_set(ei, ERR_NOMEM, "digest");
	e = digest_begin(d, 1u << DIGEST_SHA256);
	if (e != OK)
		(void)err_set(ei, e, "cannot begin a digest");
	while (
	    e == OK && (n = pread(fd, bytes, sizeof(bytes), (off_t)at)) != 0) {
		if (n < 0 && errno != EINTR)
			e = err_sys(ei, "cannot read the file");
		if (n > 0) {
			digest_add(d, bytes, (size_t)n);
			at += (uint64_t)n;
		}
	}
	if (e == OK) {
		digest_end(d, DIGEST_SHA256, sum);
		memcpy(out, sum, 32);
		*size = at;
	}
	digest_free(d);
	return e;
}

/* One attribute; false when it does not fit the limits. */
static bool
capture_xattr(
    int fd, const char *name, struct arena *a, struct facts *f, size_t *bytes)
{
	ssize_t n = fgetxattr(fd, name, NULL, 0);
	struct xattr *x = &f->xattrs[f->xattr_count];
	char *value;

	if (n < 0) /* gone meanwhile, or not ours to read */
		return true;
	if (f->xattr_count == XATTRS_MAX || strlen(name) > XATTR_NAME_MAX ||
	    (size_t)n > XATTRS_BYTES - *bytes)
		return false;
	value = ARENA_NEW(a, char, (size_t)n + 1);
	x->name = arena_text(a, span_of(name));
	if (value == NULL || x->name == NULL)
		return false;
	n = fgetxattr(fd, name, value, (size_t)n);
	if (n < 0)
		return true;
	x->value = (struct span){ value, (size_t)n };
	f->xattr_count++;
	*bytes += (size_t)n;
	return true;
}

static enum err
capture_xattrs(int fd, struct arena *a, struct facts *f, struct errinfo *ei)
{
	char names[PIECE];
	ssize_t n = flistxattr(fd, names, sizeof(names));
	size_t bytes = 0;

	f->xattrs = ARENA_NEW(a, struct xattr, XATTRS_MAX + 1);
	if (f->xattrs == NULL)
		return err_set(ei, ERR_NOMEM, "attributes");
	if (n < 0) /* a file system without them */
		return OK;
	for (const char *p = names; p < names + n; p += strlen(p) + 1)
		if (!capture_xattr(fd, p, a, f, &bytes))
			f->xattrs_dropped = true;
	return OK;
}

enum err
facts_capture(int fd, struct arena *a, struct facts *out, struct errinfo *ei)
{
	struct stat st;
	enum err e;

	if (fstat(fd, &st) != 0)
		return err_sys(ei, "cannot examine the file");
	if (!S_ISREG(st.st_mode))
		return err_set(ei, ERR_UNSUPPORTED, "not a regular file");
	if (st.st_nlink == 0)
		return err_set(ei, ERR_NOT_FOUND, "the file vanished");
	if (st.st_nlink > 1)
		return err_set(ei, ERR_UNSUPPORTED,
		    "the file has %lu names (hard links)",
		    (unsigned long)st.st_nlink);
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	out->mode = st.st_mode & 07777;
	out->uid = st.st_uid;
	out->gid = st.st_gid;
	out->atime = st.st_atim;
	out->mtime = st.st_mtim;
	out->ctime = st.st_ctim;
	e = capture_xattrs(fd, a, out, ei);
	if (e == OK)
		e = file_digest(fd, out->item.sha256, &out->item.size, ei);
	return e;
}

/* ---- applying -------------------------------------------------------------------- */

enum err
facts_apply(const struct facts *f, int fd, struct errinfo *ei)
{
	const struct timespec times[2] = { f->atime, f->mtime };

	/* Changing the owner clears capabilities and set-id bits. */
	if (fchown(fd, (uid_t)f->uid, (gid_t)f->gid) != 0)
		return err_sys(ei, "cannot give the file back to its owner");
	for (size_t i = 0; i < f->xattr_count; i++)
		if (fsetxattr(fd, f->xattrs[i].name, f->xattrs[i].value.ptr,
			f->xattrs[i].value.len, 0) != 0 &&
		    errno != ENOTSUP)
			return err_sys(ei, "cannot set the attribute %s",
			    f->xattrs[i].name);
	if (fchmod(fd, (mode_t)f->mode) != 0)
		return err_sys(ei, "cannot set the file's mode");
	if (futimens(fd, times) != 0)
		return err_sys(ei, "cannot set the file's times");
	return OK;
}

/* ---- as JSON ----------------------------------------------------------------------- */

/* Bytes of any kind are base64url in it. */
static void
put_bytes(json_t *o, const char *key, struct span s)
{
	struct buf b = buf_make(FACTS_MAX);

	base64url_encode(s, &b);
	json_put_text(
	    o, key, b.len == 0 ? (struct span){ "", 0 } : buf_view(&b));
	buf_free(&b);
}

static enum err
get_bytes(const json_t *o, const char *key, size_t max, struct arena *a,
    struct span *out, struct errinfo *ei)
{
	struct buf b = buf_make(max);
	struct span text;
	enum err e = json_get_text(o, key, FACTS_MAX, &text, ei);

	if (e == OK && base64url_decode(text, &b) != OK)
		e = err_field(ei, ERR_SYNTAX, key, "%s is not base64url", key);
	if (e == OK) {
		/* With a NUL behind it. */
		char *copy = ARENA_NEW(a, char, b.len + 1);

		if (copy == NULL) {
			e = err_set(ei, ERR_NOMEM, "facts");
		} else {
			if (b.len > 0)
				memcpy(copy, b.ptr, b.len);
			*out = (struct span){ copy, b.len };
		}
	}
	buf_free(&b);
	return e;
}

static void
put_time(json_t *o, const char *key, struct timespec t)
{
	json_t *pair = json_array();

	(void)json_array_append_new(pair, json_integer(t.tv_sec));
	(void)json_array_append_new(pair, json_integer(t.tv_nsec));
	json_put_new(o, key, pair);
}

static enum err
get_time(
    const json_t *o, const char *key, struct timespec *out, struct errinfo *ei)
{
	const json_t *pair;
	enum err e = json_get_array(o, key, 2, &pair, ei);
	json_int_t ns;

	if (e != OK)
		return e;
	ns = json_integer_value(json_array_get(pair, 1));
	if (!json_is_integer(json_array_get(pair, 0)) ||
	    !json_is_integer(json_array_get(pair, 1)) || ns < 0 ||
	    ns > 999999999)
		return err_field(ei, ERR_SYNTAX, key, "%s is no time", key);
	*out = (struct timespec){
		.tv_sec = json_integer_value(json_array_get(pair, 0)),
		.tv_nsec = ns,
	};
	return OK;
}

/* The numbers of a file. */
static const struct {
	const char *key;
	size_t offset;
	int64_t max;
} numbers[] = {
	{ "mode", offsetof(struct facts, mode), 07777 },
	{ "uid", offsetof(struct facts, uid), UINT32_MAX },
	{ "gid", offsetof(struct facts, gid), UINT32_MAX },
	{ "taken_ms", offsetof(struct facts, item.taken_ms), INT64_MAX },
	/* Of 64 bits without sign; kept as they are, bit for bit. */
	{ "size", offsetof(struct facts, item.size), INT64_MAX },
	{ "dev", offsetof(struct facts, dev), INT64_MAX },
	{ "ino", offsetof(struct facts, ino), INT64_MAX },
};

static void
put_xattrs(json_t *o, const struct facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->xattr_count; i++) {
		json_t *x = json_object();

		put_bytes(x, "name", span_of(f->xattrs[i].name));
		put_bytes(x, "value", f->xattrs[i].value);
		(void)json_array_append_new(list, x);
	}
	json_put_new(o, "xattrs", list);
	json_put_bool(o, "xattrs_dropped", f->xattrs_dropped);
}

enum err
facts_encode(const struct facts *f, struct buf *out, struct errinfo *ei)
{
	json_t *o = json_object();
	char hex[SHA256_HEX], *text;

	json_put_uuid(o, "id", f->item.id);
	put_bytes(o, "path", f->item.path);
	put_bytes(o, "name", span_of(f->item.name));
	hex_encode(f->item.sha256, SHA256_LEN, hex);
	json_put_text(o, "sha256", span_of(hex));
	for (size_t i = 0; i < COUNT(numbers); i++) {
		int64_t v;

		memcpy(&v, (const char *)f + numbers[i].offset, sizeof(v));
		json_put_int(o, numbers[i].key, v);
	}
	put_time(o, "atime", f->atime);
	put_time(o, "mtime", f->mtime);
	put_xattrs(o, f);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	if (text == NULL)
		return err_set(ei, ERR_NOMEM, "facts");
	buf_text(out, text);
	free(text);
	return buf_check(out, ei);
}

static enum err
get_xattrs(
    const json_t *o, struct arena *a, struct facts *f, struct errinfo *ei)
{
	const json_t *list;
	json_t *x;
	size_t i;
	enum err e = json_get_array(o, "xattrs", XATTRS_MAX, &list, ei);

	if (e == OK)
		e = json_get_bool(o, "xattrs_dropped", &f->xattrs_dropped, ei);
	if (e != OK)
		return e;
	f->xattrs = ARENA_NEW(a, struct xattr, XATTRS_MAX + 1);
	if (f->xattrs == NULL)
		return err_set(ei, ERR_NOMEM, "facts");
	json_array_foreach (list, i, x) {
		struct span name = { 0 };

		e = get_bytes(x, "name", XATTR_NAME_MAX, a, &name, ei);
		if (e == OK && strlen(name.ptr) != name.len)
			e = err_set(ei, ERR_SYNTAX, "attribute name");
		if (e == OK)
			e = get_bytes(x, "value", XATTRS_BYTES, a,
			    &f->xattrs[i].value, ei);
		if (e != OK)
			return e;
		f->xattrs[i].name = name.ptr;
		f->xattr_count++;
	}
	return OK;
}

static enum err
get_names(const json_t *o, struct arena *a, struct facts *f, struct errinfo *ei)
{
	struct span name, hex;
	enum err e = json_get_uuid(o, "id", &f->item.id, ei);

	if (e == OK)
		e = get_bytes(o, "path", 4096, a, &f->item.path, ei);
	if (e == OK &&
	    (f->item.path.len == 0 ||
		strlen(f->item.path.ptr) != f->item.path.len))
		e = err_field(ei, ERR_SYNTAX, "path", "path is not one");
	if (e == OK)
		e = get_bytes(
		    o, "name", sizeof(f->item.name) - 1, a, &name, ei);
	if (e == OK)
		memcpy(f->item.name, name.ptr, name.len + 1);
	if (e == OK)
		e = json_get_text(o, "sha256", SHA256_HEX, &hex, ei);
	if (e == OK && hex_decode(hex, f->item.sha256, SHA256_LEN) != OK)
		e = err_field(ei, ERR_SYNTAX, "sha256", "sha256 is not one");
	return e;
}

static enum err
get_facts(const json_t *o, struct arena *a, struct facts *f, struct errinfo *ei)
{
	enum err e = get_names(o, a, f, ei);

	for (size_t i = 0; e == OK && i < COUNT(numbers); i++) {
		int64_t v = 0;

		e = json_get_int(o, numbers[i].key,
		    numbers[i].max == INT64_MAX ? INT64_MIN : 0, numbers[i].max,
		    &v, ei);
		memcpy((char *)f + numbers[i].offset, &v, sizeof(v));
	}
	if (e == OK)
		e = get_time(o, "atime", &f->atime, ei);
	if (e == OK)
		e = get_time(o, "mtime", &f->mtime, ei);
	if (e == OK)
		e = get_xattrs(o, a, f, ei);
	return e;
}

enum err
facts_decode(
    struct span json, struct arena *a, struct facts *out, struct errinfo *ei)
{
	struct facts f = { 0 };
	json_t *o = NULL;
	enum err e = json_parse(json, &o, ei);

	if (e == OK)
		e = get_facts(o, a, &f, ei);
	json_decref(o);
	if (e == OK)
		*out = f;
	return e;
}
