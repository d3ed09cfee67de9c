#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

/* Every function that can fail returns one of these and, where the caller
 * passed one, fills an errinfo with a line for people.  On failure outputs
 * are left untouched.  Any thread. */

#define MUST_USE   __attribute__((warn_unused_result))
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define ERRMSG_MAX 512 /* bytes of a message, its NUL included */

enum err {
	OK = 0,
	ERR_SYNTAX,      /* input is malformed; the message names the place */
	ERR_LIMIT,       /* input is larger than its named limit */
	ERR_NOMEM,       /* memory, or the arena's ceiling, is used up */
	ERR_NOT_FOUND,   /* the named thing does not exist */
	ERR_EXISTS,      /* the named thing exists already, or was used up */
	ERR_AUTH,        /* who asks is not known */
	ERR_DENIED,      /* who asks is known and may not */
	ERR_IO,          /* the operating system said no; errinfo.sys_errno */
	ERR_BUSY,        /* try again later */
	ERR_UNSUPPORTED, /* understood, but not done here */
	ERR_CORRUPT,     /* our own stored data fails its check */
	ERR_MAX
};

struct errinfo {
	enum err code;
	int sys_errno;        /* with ERR_IO, else 0 */
	char field[64];       /* the input field at fault, or "" */
	char msg[ERRMSG_MAX]; /* lower case, no full stop, names the thing */
};

/* Fill *ei (which may be NULL) and return `code`: `return err_set(...)`.
 * err_sys() adds the text of the current errno and returns ERR_IO. */
enum err err_set(struct errinfo *ei, enum err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum err err_sys(struct errinfo *ei, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* As err_set(), and name the input field that is wrong. */
enum err err_field(struct errinfo *ei, enum err code, const char *field,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The analyser cannot see into another file that the code comes back. */
#ifdef __clang_analyzer__
#define err_set(ei, code, ...)                                                 \
	((void)(err_set)((ei), (code), __VA_ARGS__), (code))
#define err_sys(ei, ...) ((void)(err_sys)((ei), __VA_ARGS__), ERR_IO)
#define err_field(ei, code, field, ...)                                        \
	((void)(err_field)((ei), (code), (field), __VA_ARGS__), (code))
#endif

/* The stable name of a code ("syntax", "limit", ...), for JSON and logs. */
const char *err_name(enum err code);

#endif
