/* The HTTPS client, on libcurl. */

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "http/http.h"

#define TIMEOUT_MS 90000
#define CONNECT_MS 15000
#define IDLE_MAX_S 60L /* the server ends an idle connection after 75 */
#define URL_MAX    8192
#define RETRY_MAX  86400

struct http_client {
	CURL *curl;
	char *base_url;
	struct curl_slist *json;
	struct buf response;
	int retry_after;
	char text[CURL_ERROR_SIZE]; /* what went wrong, in curl's words */
};

static size_t
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_client *c = arg;

	buf_add(&c->response, bytes, size * n);
	return c->response.full ? 0 : size * n;
}

static size_t
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
on_header(char *bytes, size_t size, size_t n, void *arg)
{
	static const char name[] = "retry-after:";
	struct http_client *c = arg;
	struct span line = { bytes, size * n };
	uint64_t seconds;

	if (line.len > sizeof(name) - 1 &&
	    strncasecmp(line.ptr, name, sizeof(name) - 1) == 0) {
		line = span_trim(span_from(line, sizeof(name) - 1));
		if (span_u64(line, RETRY_MAX, &seconds) == OK)
			c->retry_after = (int)seconds;
	}
	return size * n;
}

static void
set_blob(CURL *curl, CURLoption option, struct span pem)
{
	struct curl_blob blob = { (void *)(uintptr_t)pem.ptr, pem.len,
		CURL_BLOB_COPY };

	if (pem.len > 0)
		(void)curl_easy_setopt(curl, option, &blob);
}

static void
set_options(struct http_client *c, const struct http_client_options *opt)
{
	CURL *curl = c->curl;
	long verify = opt->insecure ? 0 : 1;

	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(
	    curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(
	    curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verify);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verify * 2);
	(void)curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	(void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(curl, CURLOPT_SSLCERTTYPE, "PEM");
	(void)curl_easy_setopt(curl, CURLOPT_SSLKEYTYPE, "PEM");
	set_blob(curl, CURLOPT_CAINFO_BLOB, opt->ca_pem);
	set_blob(curl, CURLOPT_SSLCERT_BLOB, opt->cert_pem);
	set_blob(curl, CURLOPT_SSLKEY_BLOB, opt->key_pem);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not of the
							    environment */
	(void)curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
	(void)curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, c->text);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
	    (long)(opt->timeout_ms == 0 ? TIMEOUT_MS : opt->timeout_ms));
	(void)curl_easy_setopt(
	    curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, c);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, c);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "khien/" KHIEN_VERSION);
}

void
http_client_begin(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to closed sockets */
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum err
http_client_new(const struct http_client_options *opt, struct http_client **out,
    struct errinfo *ei)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_client *c;

	if (strncmp(opt->base_url, "https://", 8) != 0)
		return err_field(ei, ERR_SYNTAX, "url",
		    "%s does not begin with https://", opt->base_url);
	if (opt->ca_pem.len == 0 && !opt->insecure)
		return err_set(ei, ERR_AUTH, "no authority to trust");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(ei, ERR_NOMEM, "client");
	c->response = buf_make(0);
	(void)pthread_once(&once, http_client_begin);
	c->curl = curl_easy_init();
	c->base_url = strdup(opt->base_url);
	c->json = curl_slist_append(NULL, "Content-Type: application/json");
	if (c->json != NULL) /* no wait for 100-continue */
		(void)curl_slist_append(c->json, "Expect:");
	if (c->curl == NULL || c->base_url == NULL || c->json == NULL) {
		http_client_free(c);
		return err_set(ei, ERR_NOMEM, "client");
	}
	set_options(c, opt);
	*out = c;
	return OK;
}

void
http_client_free(struct http_client *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->json);
	buf_free(&c->response);
	free(c->base_url);
	free(c);
}

static enum err
client_fault(CURLcode code, const struct http_client *c, size_t max_body,
    struct errinfo *ei)
{
	static const CURLcode tls[] = { CURLE_PEER_FAILED_VERIFICATION,
		CURLE_SSL_CERTPROBLEM, CURLE_SSL_CONNECT_ERROR,
		CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
		CURLE_SSL_CIPHER, CURLE_SSL_INVALIDCERTSTATUS };
	const char *text =
	    c->text[0] == '\0' ? curl_easy_strerror(code) : c->text;

	if (c->response.full)
		return err_set(ei, ERR_LIMIT, "%s: an answer over %zu bytes",
		    c->base_url, max_body);
	for (size_t i = 0; i < COUNT(tls); i++)
		if (code == tls[i])
			return err_set(
			    ei, ERR_AUTH, "%s: %s", c->base_url, text);
	return err_set(ei, ERR_IO, "%s: %s", c->base_url, text);
}

static void
set_body(struct http_client *c, const char *method, struct span body)
{
	CURL *curl = c->curl;

	if (body.len > 0) {
		(void)curl_easy_setopt(
		    curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr);
	} else {
		(void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	}
	(void)curl_easy_setopt(
	    curl, CURLOPT_HTTPHEADER, body.len > 0 ? c->json : NULL);
	(void)curl_easy_setopt(
	    curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

enum err
http_client_do(struct http_client *c, const char *method, const char *path,
    struct span body, size_t max_body, int *status, struct span *response,
    struct errinfo *ei)
{
	struct buf url = buf_make(URL_MAX);
	long number = 0;
	CURLcode code;
	enum err e;

	buf_fmt(&url, "%s%s", c->base_url, path);
	e = buf_check(&url, ei);
	if (e != OK) {
		buf_free(&url);
		return e;
	}
	buf_free(&c->response);
	c->response = buf_make(max_body);
	c->retry_after = 0;
	c->text[0] = '\0';
	(void)curl_easy_setopt(c->curl, CURLOPT_URL, url.ptr);
	set_body(c, method, body);
	code = curl_easy_perform(c->curl);
	buf_free(&url);
	if (code != CURLE_OK)
		return client_fault(code, c, max_body, ei);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &number);
	*status = (int)number;
	if (response != NULL)
		*response = buf_view(&c->response);
	return OK;
}

int
http_client_retry_after(const struct http_client *c)
{
	return c->retry_after;
}
