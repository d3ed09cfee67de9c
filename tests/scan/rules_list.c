/* YARA rules by themselves, for tests and measurements:
 *	rules_list build OUT FILE...	compile as the engine does
 *	rules_list scan OUT [first]	match the files named on stdin
 *	rules_list whole FILE...	the same with all rules in one scanner of
 *					libyara: what matches have to be
 * Each match is a line "file:rule path".  "first" ends at the first match. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yara.h>

#include "base/file.h"
#include "scan/build/build_int.h"
#include "scan/rules/rules.h"
#include "scan/set/mask.h"

#define SECONDS 60

static _Noreturn void
die(const char *what, const char *why)
{
	(void)fprintf(stderr, "rules_list: %s: %s\n", what, why);
	exit(2);
}

static struct span
map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct span s = { "", 0 };
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) != 0)
		die(path, "cannot be read");
	if (st.st_size > 0) {
		p = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			die(path, "cannot be mapped");
		s = (struct span){ p, (size_t)st.st_size };
	}
	(void)close(fd);
	return s;
}

static void
unmap(struct span s)
{
	if (s.len > 0)
		(void)munmap((void *)(uintptr_t)s.ptr, s.len);
}

/* ---- build ---------------------------------------------------------------- */

static void
on_problem(void *arg, const struct scan_problem *p)
{
	(void)arg;
	(void)fprintf(stderr, "%s:%zu: %s\n", p->file, p->line, p->reason);
}

static int
build(const char *out, char **files, int n)
{
	struct buf blob = buf_make((size_t)1 << 30);
	struct scan_builder *b = NULL;
	struct errinfo ei = { 0 };
	struct scan_counts counts;
	int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || scan_builder_new(on_problem, NULL, &b, &ei) != OK)
		die(out, "cannot be made");
	for (int i = 0; i < n; i++) {
		struct span text = map_file(files[i]);

		if (scan_builder_add(b, files[i], text, &ei) != OK)
			die(files[i], ei.msg);
		unmap(text);
	}
	if (build_rules_save(b, &blob, &ei) != OK)
		die(out, ei.msg);
	scan_builder_counts(b, &counts);
	(void)fprintf(stderr, "%llu rules, %zu bytes\n",
	    (unsigned long long)counts.yara, blob.len);
	if (blob.len > 0)
		mask_copy(blob.ptr, blob.ptr, blob.len, 0);
	if (fd_write_all(fd, buf_view(&blob), &ei) != OK)
		die(out, ei.msg);
	(void)close(fd);
	buf_free(&blob);
	scan_builder_free(b);
	return 0;
}

/* ---- scan ----------------------------------------------------------------- */

/* The next path on stdin, or false. */
static bool
next_path(char *path, size_t size)
{
	if (fgets(path, (int)size, stdin) == NULL)
		return false;
	path[strcspn(path, "\n")] = '\0';
	return true;
}

static void
show(void *arg, const struct rules_match *m)
{
	(void)printf("%s:%s %s\n", m->source, m->name, (const char *)arg);
}

static int
scan(const char *set, bool first)
{
	struct span blob = map_file(set);
	struct errinfo ei = { 0 };
	struct rules *rules = NULL;
	struct rules_match m;
	char path[4096];

	if (rules_open(blob, &rules, &ei) != OK)
		die(set, ei.msg);
	while (next_path(path, sizeof(path))) {
		struct span bytes = map_file(path);
		enum rules_result r = first
		    ? rules_scan(rules, bytes, SECONDS, &m)
		    : rules_scan_all(rules, bytes, SECONDS, show, path);

		if (first && r == RULES_FOUND)
			show(path, &m);
		if (r > RULES_FOUND)
			(void)printf("failed:%d %s\n", (int)r, path);
		unmap(bytes);
	}
	rules_close(rules);
	unmap(blob);
	return 0;
}

/* ---- whole ------------------------------------------------------------------ */

static int
on_match(YR_SCAN_CONTEXT *context, int message, void *data, void *arg)
{
	const YR_RULE *rule = data;

	(void)context;
	if (message == CALLBACK_MSG_RULE_MATCHING)
		(void)printf("%s:%s %s\n", rule->ns->name, rule->identifier,
		    (const char *)arg);
	return CALLBACK_CONTINUE;
}

static YR_RULES *
compile_whole(char **files, int n)
{
	static const char *const externals[] = { "filename", "filepath",
		"extension", "filetype", "owner" };
	YR_COMPILER *yc = NULL;
	YR_RULES *rules = NULL;

	if (yr_initialize() != ERROR_SUCCESS ||
	    yr_compiler_create(&yc) != ERROR_SUCCESS)
		die("libyara", "does not start");
	for (size_t i = 0; i < COUNT(externals); i++)
		(void)yr_compiler_define_string_variable(yc, externals[i], "");
	for (int i = 0; i < n; i++) {
		const char *slash = strrchr(files[i], '/');
		struct span text = map_file(files[i]);
		char *copy = strndup(text.ptr, text.len);

		if (copy == NULL ||
		    yr_compiler_add_string(
			yc, copy, slash == NULL ? files[i] : slash + 1) != 0)
			die(files[i], "does not compile");
		free(copy);
		unmap(text);
	}
	if (yr_compiler_get_rules(yc, &rules) != ERROR_SUCCESS)
		die("libyara", "gives no rules");
	yr_compiler_destroy(yc);
	return rules;
}

static int
whole(char **files, int n)
{
	YR_RULES *rules = compile_whole(files, n);
	char path[4096];

	while (next_path(path, sizeof(path))) {
		struct span bytes = map_file(path);

		if (yr_rules_scan_mem(rules, (const uint8_t *)bytes.ptr,
			bytes.len, 0, on_match, path, SECONDS) != ERROR_SUCCESS)
			(void)printf("failed %s\n", path);
		unmap(bytes);
	}
	(void)yr_rules_destroy(rules);
	(void)yr_finalize();
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "build") == 0)
		return build(argv[2], argv + 3, argc - 3);
	if (argc >= 3 && strcmp(argv[1], "scan") == 0)
		return scan(argv[2], argc > 3 && strcmp(argv[3], "first") == 0);
	if (argc >= 3 && strcmp(argv[1], "whole") == 0)
		return whole(argv + 2, argc - 2);
	(void)fprintf(stderr,
	    "usage: rules_list build OUT FILE... | scan OUT [first] | "
	    "whole FILE...\n");
	return 2;
}
