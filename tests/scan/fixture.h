#ifndef TESTS_SCAN_FIXTURE_H
#define TESTS_SCAN_FIXTURE_H

#include "testing.h"

#include "scan/scan.h"

/* A set made of signature text, and a scanner with it. */
struct fixture {
	struct scan_counts counts;
	size_t problems;
	size_t problem_line;      /* of the last */
	char problem[ERRMSG_MAX]; /* its reason */
	struct scan_set *set;
	struct scanner *scanner;
	struct scan_verdict verdict; /* of the last scan */
};

/* One source; fails the test when the set cannot be made. */
void fixture_make(struct fixture *f, const char *name, const char *text);
void fixture_make_bytes(struct fixture *f, const char *name, struct span text,
    const struct scan_limits *limits);
/* Adds to a builder that counts its problems in the fixture. */
void fixture_on_problem(void *arg, const struct scan_problem *p);
/* Writes, maps and opens what the builder has; frees it. */
void fixture_open(struct fixture *f, struct scan_builder *b,
    const struct scan_limits *limits);
void fixture_clear(struct fixture *f);

/* The name that is found in the bytes; "" when clean; "unscannable". */
const char *fixture_scan(struct fixture *f, struct span bytes);

/* The test file of eicar.org, put together here. */
struct span eicar(void);

/* A file in memory with these bytes, for functions that take an fd. */
int memory_file(struct span bytes);

#endif
