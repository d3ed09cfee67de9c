#include <stdio.h>
#include <string.h>

#include "endpoint/net.h"
#include "scan/scan.h"

/* Every role that a worker may have.  Started by the other programs only. */
static const struct {
	const char *role;
	int (*run)(void);
} roles[] = {
	{ "scan", scan_worker_main },
	{ "build", scan_build_worker_main },
	{ "inspect", scan_inspect_worker_main },
	{ "net", net_worker_main },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < COUNT(roles); i++)
		if (strcmp(argv[1], roles[i].role) == 0)
			return roles[i].run();
	(void)fprintf(stderr,
	    "khien-worker: this program is started by Khiên, not by hand\n");
	return 2;
}
