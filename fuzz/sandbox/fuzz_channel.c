#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536 /* fits a socket's buffer */
#define HEAD_LEN  8

/* Whatever a peer writes: the messages received are, written again, exactly
 * the beginning of what came, and reading ends. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel *ch = NULL;
	struct errinfo ei = { 0 };
	struct message m;
	size_t at = 0;
	enum err e;
	int sv[2];

	if (size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0)
		return 0;
	e = channel_new(sv[0], &ch, &ei);
	assert(e == OK);
	if (size > 0)
		assert(write(sv[1], data, size) == (ssize_t)size);
	(void)close(sv[1]);
	while ((e = channel_receive(ch, 0, &m, &ei)) == OK) {
		uint32_t len = (uint32_t)m.body.len;

		assert(m.type != 0 && m.fd == -1);
		assert(at + HEAD_LEN + m.body.len <= size);
		assert(memcmp(data + at, &len, sizeof(len)) == 0);
		assert(memcmp(data + at + 4, &m.type, 2) == 0);
		assert(m.body.len == 0 ||
		    memcmp(data + at + HEAD_LEN, m.body.ptr, m.body.len) == 0);
		at += HEAD_LEN + m.body.len;
	}
	assert(e == ERR_NOT_FOUND || e == ERR_IO || e == ERR_CORRUPT);
	assert(e != ERR_NOT_FOUND || at == size);
	channel_free(ch);
	return 0;
}
