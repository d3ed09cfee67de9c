/* Threads and their queue. */

#include <signal.h>
#include <stdlib.h>

#include "http/http_int.h"

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *first, *last;
	size_t waiting, queue_max;
	bool ending;
	void (*run)(struct job *);
	pthread_t *threads;
	int count;
};

void
signals_block(sigset_t *before)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	sigset_t set;

	(void)sigfillset(&set);
	for (size_t i = 0; i < COUNT(own); i++)
		(void)sigdelset(&set, own[i]);
	(void)pthread_sigmask(SIG_SETMASK, &set, before);
}

enum err
thread_start(
    pthread_t *out, void *(*run)(void *), void *arg, struct errinfo *ei)
{
	sigset_t before;
	int failed;

	signals_block(&before);
	failed = pthread_create(out, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		return err_set(ei, ERR_IO, "cannot start a thread");
	return OK;
}

static struct job *
take(struct pool *p)
{
	struct job *j;

	while (p->first == NULL && !p->ending)
		(void)pthread_cond_wait(&p->work, &p->lock);
	j = p->first;
	if (j != NULL) {
		p->first = j->next;
		p->waiting--;
	}
	return j;
}

static void *
work(void *arg)
{
	struct pool *p = arg;
	struct job *j;

	(void)pthread_mutex_lock(&p->lock);
	while ((j = take(p)) != NULL) {
		(void)pthread_mutex_unlock(&p->lock);
		p->run(j);
		(void)pthread_mutex_lock(&p->lock);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

bool
pool_push(struct pool *p, struct job *j)
{
	bool room;

	(void)pthread_mutex_lock(&p->lock);
	room = p->waiting < p->queue_max && !p->ending;
	if (room) {
		j->next = NULL;
		if (p->first == NULL)
			p->first = j;
		else
			p->last->next = j;
		p->last = j;
		p->waiting++;
		(void)pthread_cond_signal(&p->work);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return room;
}

enum err
pool_new(int threads, size_t queue_max, void (*run)(struct job *),
    struct pool **out, struct errinfo *ei)
{
	struct pool *p = calloc(1, sizeof(*p));
	enum err e = OK;

	if (p == NULL)
		return err_set(ei, ERR_NOMEM, "threads");
	*p = (struct pool){ .queue_max = queue_max, .run = run };
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	p->threads = calloc((size_t)threads, sizeof(*p->threads));
	if (p->threads == NULL)
		e = err_set(ei, ERR_NOMEM, "threads");
	for (; e == OK && p->count < threads; p->count += e == OK)
		e = thread_start(&p->threads[p->count], work, p, ei);
	if (e == OK)
		*out = p;
	else
		pool_free(p);
	return e;
}

void
pool_end(struct pool *p)
{
	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->ending = true;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < p->count; i++)
		(void)pthread_join(p->threads[i], NULL);
	p->count = 0;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	pool_end(p);
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->work);
	free(p->threads);
	free(p);
}
