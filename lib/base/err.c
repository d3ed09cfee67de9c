#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __clang_analyzer__ /* hints for callers, in err.h */
#undef err_set
#undef err_sys
#undef err_field
#endif

__attribute__((format(printf, 3, 0))) static void
fill(struct errinfo *ei, enum err code, const char *fmt, va_list ap)
{
	ei->code = code;
	ei->sys_errno = 0;
	ei->field[0] = '\0';
	(void)vsnprintf(ei->msg, sizeof(ei->msg), fmt, ap);
}

enum err
err_set(struct errinfo *ei, enum err code, const char *fmt, ...)
{
	va_list ap;

	if (ei == NULL)
		return code;
	va_start(ap, fmt);
	fill(ei, code, fmt, ap);
	va_end(ap);
	return code;
}

enum err
err_sys(struct errinfo *ei, const char *fmt, ...)
{
	int saved = errno;
	char text[128];
	size_t len;
	va_list ap;

	if (ei == NULL)
		return ERR_IO;
	va_start(ap, fmt);
	fill(ei, ERR_IO, fmt, ap);
	va_end(ap);
	ei->sys_errno = saved;
	len = strlen(ei->msg);
	(void)snprintf(ei->msg + len, sizeof(ei->msg) - len, ": %s",
	    strerror_r(saved, text, sizeof(text)));
	return ERR_IO;
}

enum err
err_field(
    struct errinfo *ei, enum err code, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (ei == NULL)
		return code;
	va_start(ap, fmt);
	fill(ei, code, fmt, ap);
	va_end(ap);
	(void)snprintf(ei->field, sizeof(ei->field), "%s", field);
	return code;
}

const char *
err_name(enum err code)
{
	static const char *const names[ERR_MAX] = {
		[OK] = "ok",
		[ERR_SYNTAX] = "syntax",
		[ERR_LIMIT] = "limit",
		[ERR_NOMEM] = "nomem",
		[ERR_NOT_FOUND] = "not_found",
		[ERR_EXISTS] = "exists",
		[ERR_AUTH] = "auth",
		[ERR_DENIED] = "denied",
		[ERR_IO] = "io",
		[ERR_BUSY] = "busy",
		[ERR_UNSUPPORTED] = "unsupported",
		[ERR_CORRUPT] = "corrupt",
	};

	return code < ERR_MAX ? names[code] : "unknown";
}
