#include "publish/internal.h"

#include <string.h>

struct ib_publisher {
	const struct place_ops *ops;
	void *place;
};

/* A name stays below the delivery's folder. */
static bool check_name(const char *name, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);

	for (char **p = parts; *p; p++)
		if (!**p || strcmp(*p, ".") == 0 || strcmp(*p, "..") == 0)
			return ib_throw(err, IB_ERR_USAGE, "'%s' is no name below a delivery's folder", name);
	return parts[0] ? true : ib_throw(err, IB_ERR_USAGE, "a file needs a name");
}

static void address_clear(struct sftp_address *a)
{
	g_free(a->user);
	g_free(a->host);
	g_free(a->folder);
}

/* The part of "SHA256:…" that counts: 32 bytes in base64, with or without the sign that fills it up. */
static char *read_fingerprint(const char *text)
{
	const char *digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (!text || !g_str_has_prefix(text, "SHA256:"))
		return NULL;
	size_t n = strspn(text + 7, digits);
	if (n != 43 || (text[7 + n] && strcmp(text + 7 + n, "=") != 0))
		return NULL;
	return g_strndup(text, 7 + n);
}

static bool open_sftp(GUri *uri, const struct ib_publish_options *o, void **ret, struct ib_error **err)
{
	g_autofree char *host_key = read_fingerprint(o->host_key);
	struct ib_publish_options options = *o;
	const char *path = g_uri_get_path(uri);
	struct sftp_address a = {
		.user = g_strdup(g_uri_get_user(uri)),
		.host = g_strdup(g_uri_get_host(uri)),
		.folder = g_strdup(*path ? path : "/"),
		.port = g_uri_get_port(uri) > 0 ? (unsigned)g_uri_get_port(uri) : 22,
	};
	bool ok;

	options.host_key = host_key;
	if (g_uri_get_password(uri)) {
		ib_throw(err, IB_ERR_USAGE, "a password does not belong into an address");
		ok = ib_hint(err, "set [publish] password to a reference");
	} else if (!a.user || !*a.user || !a.host || !*a.host) {
		ok = ib_throw(err, IB_ERR_USAGE, "'%s' names no user and host", o->url);
	} else if (!host_key) {
		ib_throw(err, IB_ERR_USAGE, "the server's key is not pinned: a fingerprint SHA256:… of 43 characters is needed");
		ok = ib_hint(err, "ask the server's owner for it: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
	} else
		ok = sftp_open(&a, &options, ret, err);
	address_clear(&a);
	return ok;
}

static bool open_local(GUri *uri, const char *url, void **ret, struct ib_error **err)
{
	const char *host = g_uri_get_host(uri), *path = g_uri_get_path(uri);

	if (host && *host && strcmp(host, "localhost") != 0)
		return ib_throw(err, IB_ERR_USAGE, "'%s' names a folder of another machine", url);
	if (*path != '/')
		return ib_throw(err, IB_ERR_USAGE, "'%s' names no absolute folder", url);
	return local_open(path, ret, err);
}

bool ib_publisher_open(const struct ib_publish_options *options, struct ib_publisher **ret, struct ib_error **err)
{
	g_autoptr(GUri) uri = options->url ? g_uri_parse(options->url, G_URI_FLAGS_HAS_PASSWORD, NULL) : NULL;
	void *place = NULL;

	if (!uri)
		return ib_throw(err, IB_ERR_USAGE, "'%s' is no address", options->url ? options->url : "");
	bool local = strcmp(g_uri_get_scheme(uri), "file") == 0;
	if (!local && strcmp(g_uri_get_scheme(uri), "sftp") != 0)
		return ib_throw(err, IB_ERR_USAGE, "'%s' is neither sftp:// nor file://", options->url);
	if (g_uri_get_query(uri) || g_uri_get_fragment(uri))
		return ib_throw(err, IB_ERR_USAGE, "'%s' has a part behind ? or #, which no folder has (write %%3F or %%23)",
				options->url);
	if (!(local ? open_local(uri, options->url, &place, err) : open_sftp(uri, options, &place, err)))
		return false;
	*ret = g_new0(struct ib_publisher, 1);
	**ret = (struct ib_publisher){ local ? &local_ops : &sftp_ops, place };
	return true;
}

void ib_publisher_free(struct ib_publisher *p)
{
	if (!p)
		return;
	p->ops->free(p->place);
	g_free(p);
}

bool ib_publisher_space(struct ib_publisher *p, uint64_t *ret_bytes)
{
	return p->ops->space(p->place, ret_bytes);
}

bool ib_publisher_put(struct ib_publisher *p, const char *name, struct ib_input *in, struct ib_progress *progress,
		      struct ib_error **err)
{
	return check_name(name, err) && p->ops->put(p->place, name, in, progress, err);
}

bool ib_publisher_stat(struct ib_publisher *p, const char *name, uint64_t *ret_size, struct ib_error **err)
{
	return check_name(name, err) && p->ops->stat(p->place, name, ret_size, err);
}

bool ib_publisher_get(struct ib_publisher *p, const char *name, struct ib_stream **ret, struct ib_error **err)
{
	return check_name(name, err) && p->ops->get(p->place, name, ret, err);
}

bool ib_publisher_remove(struct ib_publisher *p, const char *name, struct ib_error **err)
{
	return check_name(name, err) && p->ops->remove(p->place, name, err);
}
