/* Runs a fuzz target once on every file of its corpus, as an ordinary test,
 * and on the empty input: what crashed once never crashes again. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1u << 20)

static uint8_t bytes[INPUT_MAX];

static int
replay(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return 1;
	}
	n = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(bytes, n);
	return 0;
}

int
main(int argc, char **argv)
{
	struct dirent **names;
	int n, tests = 1, bad = 0;

	if (argc != 2)
		return 2;
	(void)LLVMFuzzerTestOneInput(bytes, 0);
	(void)printf("ok 1 - empty input\n");
	n = scandir(argv[1], &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			int failed = replay(argv[1], names[i]->d_name);

			bad += failed;
			(void)printf("%s %d - %s\n", failed ? "not ok" : "ok",
			    ++tests, names[i]->d_name);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	(void)printf("1..%d\n", tests);
	return bad != 0;
}
