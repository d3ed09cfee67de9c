#ifndef SCAN_SCAN_H
#define SCAN_SCAN_H

#include "base/buf.h"
#include "sandbox/sandbox.h"

/* THE ENGINE.  Bytes in, verdict out: signature text is compiled into one
 * file (scan_build), the file is mapped read-only (scan_set), a scanner
 * walks an object and what is packed inside it (scan_object), and a pool of
 * sandboxed workers does that for everybody else (scan_pool).  Only the pool
 * may be called outside a worker process. */

/* ---- verdict ----------------------------------------------------------- */

enum scan_outcome {
	SCAN_CLEAN,
	SCAN_INFECTED,    /* `name` is the signature */
	SCAN_SUSPICIOUS,  /* `name` is the heuristic */
	SCAN_UNSCANNABLE, /* `reason` says why; never silence */
	SCAN_OUTCOMES
};

enum scan_reason {
	SCAN_R_NONE,
	SCAN_R_DEPTH,       /* nested deeper than the limit */
	SCAN_R_SIZE,        /* larger than the limit, unpacked */
	SCAN_R_RATIO,       /* grows more than the limit: a bomb */
	SCAN_R_COUNT,       /* more members than the limit */
	SCAN_R_ENCRYPTED,   /* needs a password */
	SCAN_R_DAMAGED,     /* broken off or malformed archive */
	SCAN_R_UNSUPPORTED, /* an archive method that is not read here */
	SCAN_R_TIME,        /* took longer than the limit */
	SCAN_R_MEMORY,      /* needed more memory than the limit */
	SCAN_R_UNREADABLE,  /* the file could not be read, or vanished */
	SCAN_R_WORKER,      /* the worker died on it */
	SCAN_R_SET,         /* the signature set is damaged */
	SCAN_REASONS
};

#define SCAN_NAME_MAX  256
#define SCAN_INNER_MAX 1024
#define SCAN_ALSO_MAX  4096

struct scan_verdict {
	enum scan_outcome outcome;
	enum scan_reason reason;
	char name[SCAN_NAME_MAX];   /* of the signature; "" unless found */
	char source[SCAN_NAME_MAX]; /* signature file it came from */
	char inner[SCAN_INNER_MAX]; /* "a.tar/b.exe" within the object, or "" */
	/* With limits.all: other signatures that match, one a line, as many as
	 * there is room for. */
	char also[SCAN_ALSO_MAX];
	uint64_t set_version;
	uint64_t size;    /* of the object, bytes */
	uint64_t read;    /* bytes scanned, what was unpacked included */
	uint32_t objects; /* the file and every member looked at */
	/* Of the whole file.  Computed when found, or when asked for. */
	bool has_sha256;
	unsigned char sha256[32];
};

const char *scan_outcome_name(enum scan_outcome o); /* "clean", ... */
const char *scan_reason_name(enum scan_reason r);   /* "encrypted", ... */

/* The wire form of a verdict.  Decoding trusts nothing: the worker that sent
 * it has read hostile bytes. */
void scan_verdict_encode(const struct scan_verdict *v, struct buf *out);
enum err scan_verdict_decode(
    struct span s, struct scan_verdict *out, struct errinfo *ei) MUST_USE;

/* An infected object beats a suspicious one beats an unscannable one: what
 * was found inside an archive that is also damaged stays found. */

/* ---- limits ------------------------------------------------------------ */

struct scan_limits {
	uint64_t size;        /* unpacked bytes of one file; 1 GiB */
	uint64_t member_size; /* of one member; 256 MiB */
	uint32_t depth;       /* archives within archives; 16 */
	uint32_t ratio;       /* unpacked : packed, once over 16 MiB; 250 */
	uint32_t count;       /* members of one file, all levels; 100,000 */
	uint32_t seconds;     /* of one file; 120 */
	uint32_t all;         /* go on after the first match; 0 */
	uint32_t heuristics;  /* bits SCAN_H_*: what is told as suspicious; 0 */
};
/* Properties that are no infection: many good files have them. */
#define SCAN_H_MACRO     1u /* a document with macros */
#define SCAN_H_ENCRYPTED 2u /* an archive or document with a password */
#define SCAN_H_ACTIVE    4u /* scripts, launch actions, embedded objects */
#define SCAN_H_DISGUISED 8u /* a program by another name's ending */

/* "macro,encrypted", or "all", as these bits. */
enum err scan_heuristics_parse(
    struct span list, uint32_t *bits, struct errinfo *ei) MUST_USE;

extern const struct scan_limits scan_limits_default;

/* ---- compiling signatures ---------------------------------------------- */

struct scan_builder;
struct scan_problem { /* a line, or from line 0 a file, that was skipped */
	const char *file;
	size_t line;
	const char *reason; /* English msgid-free technical text */
};
struct scan_counts {
	uint64_t hashes, bodies, allowed, yara; /* EICAR is one body */
	uint64_t links;   /* lines of .pdb and .wdb files */
	uint64_t icons;   /* lines of .idb files */
	uint64_t skipped; /* problems, and lines for other engine levels */
};
typedef void scan_problem_fn(void *arg, const struct scan_problem *p);

/* EICAR is always in.  `problem` may be NULL. */
enum err scan_builder_new(scan_problem_fn *problem, void *arg,
    struct scan_builder **out, struct errinfo *ei) MUST_USE;
/* What is added goes behind what `base`, which must live as long, has; names
 * that .ign2 files leave out go from it too.  A fraction of the work of
 * building all anew, but no YARA rules can be added. */
struct scan_set;
enum err scan_builder_onto(struct scan_set *base, scan_problem_fn *problem,
    void *arg, struct scan_builder **out, struct errinfo *ei) MUST_USE;
void scan_builder_free(struct scan_builder *b); /* accepts NULL */
/* `name` decides the format by its ending (README.md lists them); another is
 * ERR_UNSUPPORTED.  A bad line is reported, counted and skipped. */
enum err scan_builder_add(struct scan_builder *b, const char *name,
    struct span text, struct errinfo *ei) MUST_USE;
/* Some files say which signatures of all others are left out: they must be
 * added first.  A container may hold such and others. */
enum scan_turn { SCAN_TURN_LATER, SCAN_TURN_FIRST, SCAN_TURN_BOTH };
enum scan_turn scan_builder_turn(const char *name); /* by its ending */
void scan_builder_counts(const struct scan_builder *b, struct scan_counts *out);
/* Writes the compiled set. */
enum err scan_builder_write(struct scan_builder *b, uint64_t version,
    int64_t built_ms, int fd, struct errinfo *ei) MUST_USE;

/* ---- a compiled set ---------------------------------------------------- */

struct scan_set; /* one thread at a time */
struct scan_set_info {
	uint64_t version;
	int64_t built_ms;
	uint64_t file_size;
	struct scan_counts counts;
	unsigned char digest[32]; /* stands for the whole file */
	unsigned char from[32];   /* the digest of what it adds to, or zeros */
};
/* Maps fd (which may be closed afterwards) and checks the header: a cut file
 * is ERR_CORRUPT, another format version ERR_UNSUPPORTED.  Opening reads
 * little, so that it is quick; what is damaged further on is noticed before
 * it is used, and files are then SCAN_R_SET. */
enum err
scan_set_open(int fd, struct scan_set **out, struct errinfo *ei) MUST_USE;
void scan_set_close(struct scan_set *set); /* accepts NULL */
/* Reads all of it: ERR_CORRUPT when anything is damaged. */
enum err scan_set_verify(struct scan_set *set, struct errinfo *ei) MUST_USE;
void scan_set_info(const struct scan_set *set, struct scan_set_info *out);

/* What was added to the set that this one was built from, as a set of its
 * own within it; *out is NULL when there is none.  It lives as long as the
 * outer one. */
enum err scan_set_added(
    struct scan_set *set, struct scan_set **out, struct errinfo *ei) MUST_USE;
/* Which files that were clean before may be clean no more. */
struct scan_added {
	bool any;             /* something was added, and it is known what */
	bool all;             /* any file that was clean before */
	uint64_t sizes[1024]; /* else those of a size whose bit is set, */
			      /* and containers */
};
bool scan_added_has(const struct scan_added *a, uint64_t size);

/* ---- scanning (in a worker only) ---------------------------------------- */

struct scanner; /* one thread at a time; borrows the set */
enum err scanner_new(struct scan_set *set, const struct scan_limits *limits,
    struct scanner **out, struct errinfo *ei) MUST_USE;
void scanner_free(struct scanner *s);
/* What cannot be scanned is a verdict, not an error.  `name` is the file's, for
 * SCAN_H_DISGUISED; "" if nothing is to be made of it. */
void scanner_file(struct scanner *s, int fd, struct span name, bool want_sha256,
    struct scan_verdict *out);
void scanner_bytes(struct scanner *s, struct span bytes, bool want_sha256,
    struct scan_verdict *out);

/* The roles "scan", "build" and "inspect" of khien-worker; return the exit
 * status. */
int scan_worker_main(void);
int scan_build_worker_main(void);
int scan_inspect_worker_main(void);

/* ---- for programs: a pool of workers ------------------------------------ */

struct scan_pool; /* one thread at a time */
struct scan_pool_options {
	const char *set_path; /* compiled set; NULL: EICAR alone */
	int workers;          /* 0 = cores */
	const char *user;     /* as worker_spec.user */
	struct scan_limits limits;
	bool want_sha256; /* of clean files too */
};
enum err scan_pool_new(const struct scan_pool_options *opt,
    struct scan_pool **out, struct errinfo *ei) MUST_USE;
void scan_pool_free(struct scan_pool *p); /* kills what runs; NULL is fine */
const struct scan_set_info *scan_pool_info(const struct scan_pool *p);
const struct scan_added *scan_pool_added(const struct scan_pool *p);
/* True while scan_pool_add() would find a free worker. */
bool scan_pool_ready(const struct scan_pool *p);
size_t scan_pool_busy(const struct scan_pool *p); /* files under way */
/* How much of its set a file has to be scanned with: one that was clean
 * before something was added, with that alone. */
enum scan_need { SCAN_NEED_ALL, SCAN_NEED_ADDED, SCAN_NEED_NOTHING };
/* Hands over an open file (closed by the pool); `tag` comes back with its
 * verdict, and until then `path` is borrowed.  ERR_BUSY when no worker is
 * free: then the file stays the caller's. */
enum err scan_pool_add(struct scan_pool *p, int fd, const char *path,
    enum scan_need need, void *tag, struct errinfo *ei) MUST_USE;
/* Waits for one verdict.  A worker that died, or ran past its time, gives
 * SCAN_UNSCANNABLE and is replaced; ERR_BUSY after timeout_ms or when none
 * is under way; another error when no worker can be started any more. */
enum err scan_pool_next(struct scan_pool *p, int timeout_ms, void **tag,
    struct scan_verdict *out, struct errinfo *ei) MUST_USE;
/* New files are scanned with another set; files under way finish with the
 * old one.  On failure the old one stays. */
enum err scan_pool_reload(
    struct scan_pool *p, const char *set_path, struct errinfo *ei) MUST_USE;
/* New files are scanned within other limits. */
void scan_pool_limit(struct scan_pool *p, const struct scan_limits *limits);

/* ---- for programs: files that need no second look ------------------------- */

/* Remembers which files were clean, by what changes whenever a file does:
 * device, inode, size, times of change.  For one set and one set of limits,
 * and for sets that add to it: with others it begins afresh; after a week, or
 * a little less, a file is looked at again in any case.  The file belongs to
 * the caller alone. */
struct scan_cache; /* one thread at a time */
struct stat;
enum err scan_cache_open(const char *path, const struct scan_set_info *set,
    const struct scan_limits *limits, struct scan_cache **out,
    struct errinfo *ei) MUST_USE;
void scan_cache_close(struct scan_cache *c); /* accepts NULL */
/* How a file is to be scanned; `added` of the same set. */
enum scan_need scan_cache_need(struct scan_cache *c,
    const struct scan_added *added, const struct stat *st, int64_t now_ms);
/* The file was clean: v.  `st` is from before it was scanned: a file that has
 * changed since is not remembered. */
void scan_cache_add(struct scan_cache *c, int fd, const struct stat *st,
    const struct scan_verdict *v, int64_t now_ms);

/* ---- for programs: compiling ---------------------------------------------- */

struct scan_build_options {
	uint64_t version;
	const char *base; /* a set that is added to, or NULL */
	bool strict;      /* a line that cannot be used is an error */
};
/* Compile `paths` (files, or folders of them) in a sandboxed worker into
 * `out_path`, atomically.  In a folder what is no signature file is a
 * problem; named itself it is ERR_UNSUPPORTED. */
enum err
scan_build_files(const char *const *paths, size_t n, const char *out_path,
    const struct scan_build_options *opt, scan_problem_fn *problem, void *arg,
    struct scan_counts *counts, struct errinfo *ei) MUST_USE;

/* ---- for programs: what is in a set --------------------------------------- */

enum scan_ask {
	SCAN_ASK_VERIFY,  /* read all of it; no rows */
	SCAN_ASK_FIND,    /* signatures whose name contains `text` */
	SCAN_ASK_EXPLAIN, /* how the engine understands these */
	SCAN_ASK_DIFF,    /* what only one of two sets has */
	SCAN_ASKS
};
struct scan_query {
	enum scan_ask ask;
	struct span text; /* "": all */
	uint64_t rows;    /* at most so many */
};
/* What a row says; the label is for the program to put into words. */
enum scan_label {
	SCAN_L_HASH, /* text: the digest, size; of whole objects */
	SCAN_L_ALLOWED,
	SCAN_L_INDICATOR,
	SCAN_L_SECTION,
	SCAN_L_IMPORT,
	SCAN_L_LINK,    /* of mails: a hash, or its name says all */
	SCAN_L_BODY,    /* a signature with bodies: its name alone */
	SCAN_L_TRUSTED, /* a certificate */
	SCAN_L_BLOCKED, /* a certificate */
	SCAN_L_ICON,    /* of programs */
	SCAN_L_ADDED,   /* only in the second set */
	SCAN_L_REMOVED, /* only in the first */
	SCAN_L_TARGET,
	SCAN_L_CONDITION,
	SCAN_L_EXPRESSION,
	SCAN_L_SUB, /* its kind, and where it may be */
	SCAN_L_PATTERN,
	SCAN_L_ANCHOR,    /* what is looked for first, and where it stands */
	SCAN_L_NO_ANCHOR, /* evaluated for every object: slow */
	SCAN_LABELS
};
struct scan_row {
	enum scan_label label;
	const char *name, *source; /* "" in the lines of an explanation */
	const char *text;
};
typedef void scan_row_fn(void *arg, const struct scan_row *row);
/* Asks a sandboxed worker; other_path for SCAN_ASK_DIFF alone. */
enum err scan_inspect(const char *set_path, const char *other_path,
    const struct scan_query *query, scan_row_fn *fn, void *arg,
    struct errinfo *ei) MUST_USE;

#endif
