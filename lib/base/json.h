#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/uuid.h"

/* JSON (RFC 8259) from outside, and building our own.  The tree is
 * jansson's: this header is its one door, and the readers below are what
 * every handler uses, because each names the field that is wrong. */

#define JSON_DEPTH_MAX 32 /* jansson is asked for no more nesting */

/* Parse one object or array; duplicate keys and trailing bytes are errors.  *out is
 * the caller's: json_decref(). */
enum err
json_parse(struct span text, json_t **out, struct errinfo *ei) MUST_USE;

/* A member of the object `o`.  Missing, of another type, or out of bounds:
 * ERR_SYNTAX or ERR_LIMIT with ei->field = key.  Text is borrowed from the
 * tree, valid UTF-8, NUL-free and at most `max` bytes long. */
enum err json_get_text(const json_t *o, const char *key, size_t max,
    struct span *out, struct errinfo *ei) MUST_USE;
enum err json_get_int(const json_t *o, const char *key, int64_t lo, int64_t hi,
    int64_t *out, struct errinfo *ei) MUST_USE;
enum err json_get_bool(
    const json_t *o, const char *key, bool *out, struct errinfo *ei) MUST_USE;
enum err json_get_uuid(const json_t *o, const char *key, struct uuid *out,
    struct errinfo *ei) MUST_USE;
/* An array of at most `max` items; *out is borrowed. */
enum err json_get_array(const json_t *o, const char *key, size_t max,
    const json_t **out, struct errinfo *ei) MUST_USE;
enum err json_get_object(const json_t *o, const char *key, const json_t **out,
    struct errinfo *ei) MUST_USE;

/* Set a member of an object we build.  In text that is not UTF-8 (file
 * names!) the bytes that are not, and every '\', become \xHH: nothing is
 * lost or refused. */
void json_put_text(json_t *o, const char *key, struct span text);
void json_put_int(json_t *o, const char *key, int64_t value);
void json_put_bool(json_t *o, const char *key, bool value);
void json_put_uuid(json_t *o, const char *key, struct uuid value);
void json_put_time(json_t *o, const char *key, int64_t utc_ms); /* RFC 3339 */
/* The new value belongs to `o` afterwards; returns it. */
json_t *json_put_new(json_t *o, const char *key, json_t *value);

#endif
