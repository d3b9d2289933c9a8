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

static bool open_sftp(GUri *uri, const struct ib_publish_options *o, void **ret, struct ib_error **err)
{
	const char *path = g_uri_get_path(uri);
	struct sftp_address a = {
		.user = g_strdup(g_uri_get_user(uri)),
		.host = g_strdup(g_uri_get_host(uri)),
		.folder = g_strdup(*path ? path : "/"),
		.port = g_uri_get_port(uri) > 0 ? (unsigned)g_uri_get_port(uri) : 22,
	};
	bool ok;

	if (!a.user || !a.host || !*a.host)
		ok = ib_throw(err, IB_ERR_USAGE, "'%s' names no user and host", o->url);
	else if (!o->host_key || !g_str_has_prefix(o->host_key, "SHA256:")) {
		ib_throw(err, IB_ERR_USAGE, "the server's key is not pinned: a fingerprint SHA256:… is needed");
		ok = ib_hint(err, "ask the server's owner for it: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
	} else
		ok = sftp_open(&a, o, ret, err);
	address_clear(&a);
	return ok;
}

bool ib_publisher_open(const struct ib_publish_options *options, struct ib_publisher **ret, struct ib_error **err)
{
	g_autoptr(GUri) uri = g_uri_parse(options->url, G_URI_FLAGS_HAS_PASSWORD, NULL);
	const struct place_ops *ops = &sftp_ops;
	void *place = NULL;
	bool ok;

	if (!uri)
		return ib_throw(err, IB_ERR_USAGE, "'%s' is no address", options->url);
	if (strcmp(g_uri_get_scheme(uri), "file") == 0) {
		ops = &local_ops;
		ok = local_open(g_uri_get_path(uri), &place, err);
	} else if (strcmp(g_uri_get_scheme(uri), "sftp") == 0) {
		ok = open_sftp(uri, options, &place, err);
	} else {
		return ib_throw(err, IB_ERR_USAGE, "'%s' is neither sftp:// nor file://", options->url);
	}
	if (!ok)
		return false;
	*ret = g_new0(struct ib_publisher, 1);
	**ret = (struct ib_publisher){ ops, place };
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
