#ifndef SANDBOX_SANDBOX_INT_H
#define SANDBOX_SANDBOX_INT_H

#include "sandbox/sandbox.h"

/* The two walls of a sandbox.  Each must hold alone: tests enter them one by
 * one.  no_new_privs is set before either. */
enum err landlock_enter(
    const struct sandbox_profile *profile, struct errinfo *ei) MUST_USE;
enum err filter_enter(
    const struct sandbox_profile *profile, struct errinfo *ei) MUST_USE;

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

#endif
