#ifndef TESTS_SANDBOX_VICTIM_H
#define TESTS_SANDBOX_VICTIM_H

/* What the test and its victim agree on. */

/* In the working folder, which the victim inherits. */
#define VICTIM_OLD_FILE  "old"
#define VICTIM_NEW_FILE  "new"
#define VICTIM_FOLDER    "folder"
#define VICTIM_MEMORY    (400u << 20)
#define VICTIM_LEAKED_FD 77
#define VICTIM_OUTCOME   1

struct outcome {
	int done; /* -1: it was not */
	int error;
};

#endif
