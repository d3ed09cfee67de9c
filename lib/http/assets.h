#ifndef HTTP_ASSETS_H
#define HTTP_ASSETS_H

#include "base/buf.h"

/* Style sheets, scripts and images, in memory: read once at start, served
 * under /assets/ to everybody. */

#define ASSETS_MAX     256
#define ASSET_SIZE_MAX (4u << 20)

struct asset {
	char path[128]; /* "/assets/khien.css" */
	const char *type;
	char etag[24]; /* weak: the same for both forms */
	struct span bytes;
	struct span gzipped; /* empty if that would not be smaller */
};

struct assets; /* read-only after loading: any thread */

/* Every .css .js .svg .woff2 file of the folders (not below them).  A name
 * in two folders is ERR_EXISTS. */
enum err assets_load(
    const char *const *dirs, struct assets **out, struct errinfo *ei) MUST_USE;
void assets_free(struct assets *a); /* accepts NULL */
/* NULL if there is none; accepts NULL for no assets. */
const struct asset *assets_find(const struct assets *a, const char *path);
/* Changes with any of them: pages ask for "/assets/x.css?v=VERSION", which may
 * be kept for ever; a name alone is asked for again each time. */
const char *assets_version(const struct assets *a); /* "" for NULL */

#endif
