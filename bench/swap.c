/* bench_swap A B FILE: what a change of sets costs whoever waits for verdicts.
 * Scans FILE over and over with set A, changes to set B in the middle, and
 * prints the longest wait for a verdict without and with a change, how long
 * the change itself took, and the workers' own memory before and after. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "scan/scan.h"

#define VERDICTS 4000
#define CHANGES  5

static void
die(const struct errinfo *ei)
{
	(void)fprintf(stderr, "bench_swap: %s\n", ei->msg);
	exit(1);
}

/* Kilobytes that no other process has, of all children. */
static long
private_memory(void)
{
	char path[64], line[128], pid[16];
	long sum = 0;
	FILE *children, *f;

	(void)snprintf(
	    path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	children = fopen(path, "re");
	while (children != NULL && fscanf(children, "%15s", pid) == 1) {
		(void)snprintf(
		    path, sizeof(path), "/proc/%s/smaps_rollup", pid);
		f = fopen(path, "re");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL)
			if (strncmp(line, "Private_", 8) == 0)
				sum +=
				    strtol(line + strcspn(line, " "), NULL, 10);
		if (f != NULL)
			(void)fclose(f);
	}
	if (children != NULL)
		(void)fclose(children);
	return sum;
}

/* The longest wait between two verdicts, in ns. */
static int64_t
scan(struct scan_pool *p, const char *file, const char *next, int64_t *took)
{
	struct errinfo ei = { 0 };
	struct scan_verdict v;
	int64_t last = clock_mono_ns(&clock_system), longest = 0, now;
	void *tag;

	for (int i = 0; i < VERDICTS; i++) {
		if (i == VERDICTS / 2 && next != NULL) {
			int64_t from = clock_mono_ns(&clock_system);

			if (scan_pool_reload(p, next, &ei) != OK)
				die(&ei);
			*took = clock_mono_ns(&clock_system) - from;
		}
		if (scan_pool_add(p, open(file, O_RDONLY | O_CLOEXEC), file,
			SCAN_NEED_ALL, NULL, &ei) != OK)
			die(&ei);
		if (scan_pool_next(p, -1, &tag, &v, &ei) != OK)
			die(&ei);
		now = clock_mono_ns(&clock_system);
		if (now - last > longest)
			longest = now - last;
		last = now;
	}
	return longest;
}

int
main(int argc, char **argv)
{
	struct scan_pool_options opt = {
		.workers = 1, .user = "nobody", .limits = scan_limits_default
	};
	struct scan_pool *p = NULL;
	struct errinfo ei = { 0 };
	int64_t plain, worst = 0, slowest = 0, took = 0;
	long before, after;

	if (argc != 4)
		return 2;
	opt.set_path = argv[1];
	if (scan_pool_new(&opt, &p, &ei) != OK)
		die(&ei);
	(void)scan(p, argv[3], NULL, NULL);
	plain = scan(p, argv[3], NULL, NULL);
	before = private_memory();
	for (int i = 0; i < CHANGES; i++) {
		int64_t wait =
		    scan(p, argv[3], argv[i % 2 == 0 ? 2 : 1], &took);

		worst = wait > worst ? wait : worst;
		slowest = took > slowest ? took : slowest;
	}
	after = private_memory();
	(void)printf("%.2f %.2f %.2f %ld %ld\n", (double)plain / 1e6,
	    (double)worst / 1e6, (double)slowest / 1e6, before, after);
	scan_pool_free(p);
	return 0;
}
