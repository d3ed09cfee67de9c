#include "base/i18n.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define MAGIC       0x950412deu
#define STRINGS_MAX 100000

struct i18n {
	char lang[8];
	struct buf bytes;                  /* of an opened file */
	struct span text;                  /* the whole catalogue */
	uint32_t count, ids, translations; /* offsets of the two tables */
};

static uint32_t
u32(struct span s, size_t at)
{
	uint32_t v;

	memcpy(&v, s.ptr + at, sizeof(v));
	return v;
}

/* String i of the table at `table`; checked when the file was opened. */
static const char *
string_at(const struct i18n *t, uint32_t table, uint32_t i)
{
	return t->text.ptr + u32(t->text, table + 8 * (size_t)i + 4);
}

static bool
table_ok(struct span s, uint32_t table, uint32_t count)
{
	if (table > s.len || (s.len - table) / 8 < count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		size_t len = u32(s, table + 8 * (size_t)i);
		size_t at = u32(s, table + 8 * (size_t)i + 4);

		if (at >= s.len || len >= s.len - at || s.ptr[at + len] != '\0')
			return false;
	}
	return true;
}

static bool
sorted(const struct i18n *t)
{
	for (uint32_t i = 1; i < t->count; i++)
		if (strcmp(string_at(t, t->ids, i - 1),
			string_at(t, t->ids, i)) >= 0)
			return false;
	return true;
}

static enum err
check(struct i18n *t, struct errinfo *ei)
{
	struct span s = t->text;

	if (s.len < 28 || u32(s, 0) != MAGIC || u32(s, 4) >> 16 != 0)
		return err_set(ei, ERR_CORRUPT, "not a message catalogue");
	t->count = u32(s, 8);
	t->ids = u32(s, 12);
	t->translations = u32(s, 16);
	if (t->count > STRINGS_MAX || !table_ok(s, t->ids, t->count) ||
	    !table_ok(s, t->translations, t->count) || !sorted(t))
		return err_set(ei, ERR_CORRUPT, "damaged message catalogue");
	return OK;
}

/* Letters and '_': it becomes a file name. */
static bool
is_lang(const char *lang)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	return lang[0] != '\0' && lang[strspn(lang, letters)] == '\0';
}

static enum err
new_handle(const char *lang, struct i18n **out, struct errinfo *ei)
{
	struct i18n *t;

	if (strlen(lang) >= sizeof(t->lang) || !is_lang(lang))
		return err_set(ei, ERR_SYNTAX, "language \"%.20s\"", lang);
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return err_set(ei, ERR_NOMEM, "language %s", lang);
	memcpy(t->lang, lang, strlen(lang) + 1);
	t->bytes = buf_make(I18N_FILE_MAX);
	*out = t;
	return OK;
}

enum err
i18n_parse(const void *bytes, size_t len, const char *lang, struct i18n **out,
    struct errinfo *ei)
{
	struct i18n *t;
	enum err e = new_handle(lang, &t, ei);

	if (e != OK)
		return e;
	t->text = (struct span){ bytes, len };
	e = check(t, ei);
	if (e == OK)
		*out = t;
	else
		i18n_free(t);
	return e;
}

static enum err
load(const char *dir, struct i18n *t, struct errinfo *ei)
{
	struct buf path = buf_make(4096);
	enum err e;

	buf_fmt(&path, "%s/%s.mo", dir, t->lang);
	e = buf_check(&path, ei);
	if (e == OK)
		e = file_read(path.ptr, &t->bytes, ei);
	t->text = buf_view(&t->bytes);
	if (e == OK)
		e = check(t, ei);
	buf_free(&path);
	return e;
}

enum err
i18n_open(
    const char *dir, const char *lang, struct i18n **out, struct errinfo *ei)
{
	struct i18n *t;
	enum err e = new_handle(lang, &t, ei);

	if (e != OK)
		return e;
	if (strcmp(lang, "en") != 0)
		e = load(dir, t, ei);
	if (e == OK)
		*out = t;
	else
		i18n_free(t);
	return e;
}

struct i18n *
i18n_open_beside(void)
{
	static const char *const places[] = { "../po", "../share/khien/po" };
	char exe[PATH_MAX / 2], dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct i18n *t = NULL;
	char *slash;

	exe[n < 0 ? 0 : n] = '\0';
	slash = strrchr(exe, '/');
	if (slash != NULL)
		*slash = '\0';
	for (size_t i = 0; i < COUNT(places); i++) {
		(void)snprintf(dir, sizeof(dir), "%s/%s", exe, places[i]);
		if (i18n_open(dir, i18n_env_lang(), &t, NULL) == OK)
			return t;
	}
	return i18n_open("", "en", &t, NULL) == OK ? t : NULL;
}

void
i18n_free(struct i18n *t)
{
	if (t == NULL)
		return;
	buf_free(&t->bytes);
	free(t);
}

const char *
i18n_text(const struct i18n *t, const char *msgid)
{
	uint32_t lo = 0, hi = t->count;

	if (msgid[0] == '\0') /* the catalogue's own header */
		return msgid;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = strcmp(msgid, string_at(t, t->ids, mid));

		if (c == 0) {
			const char *text = string_at(t, t->translations, mid);

			return text[0] == '\0' ? msgid : text;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return msgid;
}

const char *
i18n_lang(const struct i18n *t)
{
	return t->lang;
}

const char *
i18n_env_lang(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < COUNT(names); i++) {
		const char *v =
		    getenv(names[i]); // NOLINT(concurrency-mt-unsafe)

		if (v != NULL && v[0] != '\0')
			return strncmp(v, "en", 2) == 0 ? "en" : "vi";
	}
	return "vi";
}
