#ifndef BASE_I18N_H
#define BASE_I18N_H

#include "base/err.h"

/* Translations: gettext .mo catalogues, one handle for each language, so
 * that one process serves people of both.  msgids are English; Vietnamese is
 * the language of people who did not choose.  Read-only after opening: any
 * thread.  Format: GNU gettext manual, "The Format of GNU MO Files". */
struct i18n;

#define I18N_FILE_MAX (4u << 20)

/* lang "en" needs no file.  *out is the caller's. */
enum err i18n_open(const char *dir, const char *lang, struct i18n **out,
    struct errinfo *ei) MUST_USE; /* reads DIR/LANG.mo */
/* For a program at a terminal: the catalogue of the environment's language
 * that lies beside it, built or installed; English, which needs none, when
 * there is none.  NULL when memory is out. */
struct i18n *i18n_open_beside(void);
/* For tests and fuzzing: the bytes must outlive the handle. */
enum err i18n_parse(const void *bytes, size_t len, const char *lang,
    struct i18n **out, struct errinfo *ei) MUST_USE;
void i18n_free(struct i18n *t); /* accepts NULL */

/* The translation, or msgid itself.  Belongs to the handle. */
const char *i18n_text(const struct i18n *t, const char *msgid);
const char *i18n_lang(const struct i18n *t); /* "vi" */

/* "en" when LC_ALL, LC_MESSAGES or LANG begins with "en", else "vi". */
const char *i18n_env_lang(void);

#define N_(text) text /* marks a msgid that is translated elsewhere */

#endif
