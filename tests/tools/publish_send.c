/*
 * Drive lib/publish: publish_send [OPTION=VALUE]… URL COMMAND…
 *   options   host-key= key= passphrase= password= timeout=SECONDS
 *   commands  put FILE NAME, get NAME FILE, stat NAME, remove NAME, space; several are run on one connection
 *             try COMMAND…: an error of this one is printed on standard output and the next one is run
 * An error is printed as a user sees it, on standard error; the exit status is its code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/publish.h"

static bool put(struct ib_publisher *p, const char *path, const char *name, struct ib_error **err)
{
	ib_auto_input in = NULL;

	return ib_input_open(path, &in, err) && ib_publisher_put(p, name, in, NULL, err);
}

static bool save(struct ib_stream *s, FILE *f, const char *path, struct ib_error **err)
{
	static uint8_t buf[1 << 16];
	size_t n;

	do {
		if (!ib_stream_read(s, buf, sizeof buf, &n, err))
			return false;
		if (fwrite(buf, 1, n, f) != n)
			return ib_throw(err, IB_ERR_SYSTEM, "cannot write '%s'", path);
	} while (n > 0);
	return true;
}

static bool get(struct ib_publisher *p, const char *name, const char *path, struct ib_error **err)
{
	struct ib_stream *s = NULL;

	if (!ib_publisher_get(p, name, &s, err))
		return false;
	FILE *f = fopen(path, "wb");
	bool ok = f ? save(s, f, path, err) : ib_throw(err, IB_ERR_SYSTEM, "cannot create '%s'", path);
	if (f && fclose(f) != 0 && ok)
		ok = ib_throw(err, IB_ERR_SYSTEM, "cannot write '%s'", path);
	ib_stream_free(s);
	return ok;
}

/* One command; *at moves behind it. */
static bool run(struct ib_publisher *p, char **argv, int *at, struct ib_error **err)
{
	const char *command = argv[*at], *a = command ? argv[*at + 1] : NULL, *b = a ? argv[*at + 2] : NULL;
	uint64_t n;

	*at += 2;
	if (strcmp(command, "space") == 0) {
		(*at)--;
		if (ib_publisher_space(p, &n))
			printf("%" PRIu64 "\n", n);
		else
			puts("unknown");
		return true;
	}
	if (a && strcmp(command, "stat") == 0) {
		if (!ib_publisher_stat(p, a, &n, err))
			return false;
		printf("%" PRIu64 "\n", n);
		return true;
	}
	if (a && strcmp(command, "remove") == 0)
		return ib_publisher_remove(p, a, err);
	(*at)++;
	if (b && strcmp(command, "put") == 0)
		return put(p, a, b, err);
	if (b && strcmp(command, "get") == 0)
		return get(p, a, b, err);
	return ib_throw(err, IB_ERR_USAGE, "'%s' is no command, or has too few words", command);
}

static int option(struct ib_publish_options *o, char **argv)
{
	const struct {
		const char *prefix;
		const char **value;
	} known[] = { { "host-key=", &o->host_key }, { "key=", &o->key }, { "passphrase=", &o->passphrase },
		      { "password=", &o->password } };
	int i = 1;

	for (; argv[i]; i++) {
		size_t k = 0;
		if (g_str_has_prefix(argv[i], "timeout=")) {
			o->timeout_s = (unsigned)strtoul(argv[i] + 8, NULL, 10);
			continue;
		}
		while (k < G_N_ELEMENTS(known) && !g_str_has_prefix(argv[i], known[k].prefix))
			k++;
		if (k == G_N_ELEMENTS(known))
			return i;
		*known[k].value = argv[i] + strlen(known[k].prefix);
	}
	return i;
}

int main(int argc, char **argv)
{
	struct ib_publish_options o = { .size = sizeof o };
	struct ib_publisher *p = NULL;
	ib_auto_error err = NULL;
	int at = option(&o, argv);

	o.url = at < argc ? argv[at++] : "";
	bool ok = ib_publisher_open(&o, &p, &err);
	while (ok && at < argc) {
		bool may_fail = strcmp(argv[at], "try") == 0 && at + 1 < argc;
		at += may_fail;
		ok = run(p, argv, &at, &err);
		if (!ok && may_fail) {
			printf("%s\n", ib_error_cause(err));
			ib_error_clear(&err);
			ok = true;
		}
	}
	ib_publisher_free(p);
	if (ok)
		return 0;
	g_autofree char *text = ib_error_format(err, "publish_send");
	fputs(text, stderr);
	return (int)ib_error_code(err);
}
