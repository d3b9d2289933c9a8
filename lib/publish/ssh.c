#include "publish/internal.h"

#include <string.h>

#include <libssh/libssh.h>

/* A packet from a server is no longer than this: the largest we ask for is 255 KiB of data. */
#define PACKET_MAX (1u << 20)

struct wire {
	ssh_session session;
	ssh_channel channel;
	GByteArray *in;  /* bytes received and not yet taken */
	int timeout_ms;
};

/* Kinds of host keys, asked for one after the other: a server may have several, the pinned one counts. */
static const char *const host_key_kinds[] = {
	"ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "rsa-sha2-512,rsa-sha2-256",
};

/* ---- connecting ---- */

static bool throw_ssh(struct wire *w, struct ib_error **err, const char *what, const struct sftp_address *a)
{
	return ib_throw(err, IB_ERR_SYSTEM, "%s '%s' port %u: %s", what, a->host, a->port, ssh_get_error(w->session));
}

static bool set_options(struct wire *w, const struct sftp_address *a, const struct ib_publish_options *o,
			const char *kinds)
{
	int no_config = 0, verbosity = SSH_LOG_NOLOG;
	long timeout = o->timeout_s ? (long)o->timeout_s : 30;

	w->timeout_ms = (int)timeout * 1000;
	return ssh_options_set(w->session, SSH_OPTIONS_PROCESS_CONFIG, &no_config) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_LOG_VERBOSITY, &verbosity) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_HOST, a->host) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_PORT, &a->port) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_USER, a->user) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_TIMEOUT, &timeout) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_HOSTKEYS, kinds) == 0;
}

static void close_session(struct wire *w)
{
	if (w->session) {
		ssh_disconnect(w->session);
		ssh_free(w->session);
	}
	w->session = NULL;
}

/* "SHA256:…" of the server's key; owned by the caller (g_free), NULL when it has none. */
static char *server_fingerprint(struct wire *w)
{
	unsigned char *hash = NULL;
	ssh_key key = NULL;
	char *text = NULL, *copy = NULL;
	size_t len;

	if (ssh_get_server_publickey(w->session, &key) == SSH_OK &&
	    ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == 0)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
	copy = g_strdup(text);
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
	ssh_key_free(key);
	return copy;
}

/*
 * Connect until the pinned key is seen. `ret_seen` is the fingerprint of the first key the server
 * showed, for the message; the connection stays open only when the right one was seen.
 */
static bool connect_pinned(struct wire *w, const struct sftp_address *a, const struct ib_publish_options *o,
			   struct ib_error **err)
{
	g_autofree char *seen = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(host_key_kinds); i++) {
		w->session = ssh_new();
		if (!w->session)
			return ib_throw_memory(err);
		if (!set_options(w, a, o, host_key_kinds[i]))
			return throw_ssh(w, err, "cannot prepare a connection to", a);
		if (ssh_connect(w->session) == SSH_OK) {
			g_autofree char *shown = server_fingerprint(w);
			if (shown && strcmp(shown, o->host_key) == 0)
				return true;
			if (!seen)
				seen = g_steal_pointer(&shown);
		} else if (!strstr(ssh_get_error(w->session), "no match for method")) {
			return throw_ssh(w, err, "cannot connect to", a);
		}
		close_session(w);
	}
	ib_throw(err, IB_ERR_SYSTEM, "'%s' port %u is not the pinned server: its key is %s, pinned is %s", a->host, a->port,
		 seen ? seen : "of an unknown kind", o->host_key);
	return ib_hint(err, "ask the server's owner whether its key was changed; nothing was sent");
}

/* ---- logging in ---- */

static bool throw_login(const struct sftp_address *a, struct ib_error **err, const char *how)
{
	ib_throw(err, IB_ERR_SYSTEM, "'%s' does not let user '%s' in with %s", a->host, a->user, how);
	return ib_hint(err, "check the user in [publish] url and the key or password beside it");
}

static bool login_key(struct wire *w, const struct sftp_address *a, const struct ib_publish_options *o,
		      struct ib_error **err)
{
	g_autofree char *how = g_strdup_printf("the key '%s'", o->key);
	ssh_key key = NULL;
	int rc = ssh_pki_import_privkey_file(o->key, o->passphrase, NULL, NULL, &key);

	if (rc == SSH_EOF)
		return ib_throw(err, IB_ERR_INPUT, "the private key '%s' is not there or cannot be read", o->key);
	if (rc != SSH_OK) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is no private key that can be read%s", o->key,
			 o->passphrase ? " with that passphrase" : "");
		return o->passphrase ? false : ib_hint(err, "a locked key needs [publish] password = env:NAME");
	}
	rc = ssh_userauth_publickey(w->session, NULL, key);
	ssh_key_free(key);
	return rc == SSH_AUTH_SUCCESS ? true : throw_login(a, err, how);
}

static bool log_in(struct wire *w, const struct sftp_address *a, const struct ib_publish_options *o,
		   struct ib_error **err)
{
	if (o->key && strcmp(o->key, "agent") != 0)
		return login_key(w, a, o, err);
	if (o->key)
		return ssh_userauth_agent(w->session, NULL) == SSH_AUTH_SUCCESS ? true : throw_login(a, err, "a key of the agent");
	if (o->password)
		return ssh_userauth_password(w->session, NULL, o->password) == SSH_AUTH_SUCCESS
			       ? true : throw_login(a, err, "the password");
	ib_throw(err, IB_ERR_USAGE, "neither a key nor a password was given for user '%s'", a->user);
	return ib_hint(err, "set [publish] key");
}

bool wire_open(const struct sftp_address *address, const struct ib_publish_options *o, struct wire **ret,
	       struct ib_error **err)
{
	struct wire *w = g_new0(struct wire, 1);

	w->in = g_byte_array_new();
	if (!connect_pinned(w, address, o, err) || !log_in(w, address, o, err)) {
		wire_free(w);
		return false;
	}
	w->channel = ssh_channel_new(w->session);
	if (!w->channel || ssh_channel_open_session(w->channel) != SSH_OK || ssh_channel_request_sftp(w->channel) != SSH_OK) {
		throw_ssh(w, err, "no SFTP at", address);
		wire_free(w);
		return false;
	}
	*ret = w;
	return true;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	if (w->channel) {
		ssh_channel_close(w->channel);
		ssh_channel_free(w->channel);
	}
	close_session(w);
	g_byte_array_unref(w->in);
	g_free(w);
}

/* ---- packets out ---- */

struct packet packet_new(uint8_t type)
{
	static const uint8_t length[4] = { 0 };
	struct packet p = { g_byte_array_new() };

	g_byte_array_append(p.bytes, length, 4); /* known when it is sent */
	g_byte_array_append(p.bytes, &type, 1);
	return p;
}

void packet_u32(struct packet *p, uint32_t v)
{
	uint8_t b[4];

	ib_put_be32(b, v);
	g_byte_array_append(p->bytes, b, 4);
}

void packet_u64(struct packet *p, uint64_t v)
{
	packet_u32(p, (uint32_t)(v >> 32));
	packet_u32(p, (uint32_t)v);
}

void packet_string(struct packet *p, const void *data, size_t len)
{
	packet_u32(p, (uint32_t)len);
	g_byte_array_append(p->bytes, data, (guint)len);
}

void packet_text(struct packet *p, const char *text)
{
	packet_string(p, text, strlen(text));
}

bool wire_send(struct wire *w, struct packet *p, struct ib_error **err)
{
	g_autoptr(GByteArray) bytes = g_steal_pointer(&p->bytes);

	ib_put_be32(bytes->data, bytes->len - 4);
	for (guint at = 0; at < bytes->len;) {
		int n = ssh_channel_write(w->channel, bytes->data + at, bytes->len - at);
		if (n <= 0)
			return ib_throw(err, IB_ERR_SYSTEM, "the connection broke while sending: %s", ssh_get_error(w->session));
		at += (guint)n;
	}
	return true;
}

/* ---- packets in ---- */

void answer_clear(struct answer *a)
{
	g_clear_pointer(&a->body, g_bytes_unref);
}

uint32_t answer_u32(struct answer *a)
{
	const uint8_t *p = ib_reader_take(&a->at, 4);

	return p ? ib_be32(p) : 0;
}

uint64_t answer_u64(struct answer *a)
{
	uint64_t high = answer_u32(a);

	return high << 32 | answer_u32(a);
}

const uint8_t *answer_string(struct answer *a, size_t *ret_len)
{
	*ret_len = answer_u32(a);
	return a->at.bad ? NULL : ib_reader_take(&a->at, *ret_len);
}

/* Bytes the packet at the front needs in all; 0 when its length has not arrived. */
static size_t packet_need(const struct wire *w)
{
	return w->in->len < 4 ? 0 : 4 + (size_t)ib_be32(w->in->data);
}

bool wire_ready(struct wire *w)
{
	uint8_t buf[4096];
	int n;

	while ((n = ssh_channel_read_nonblocking(w->channel, buf, sizeof buf, 0)) > 0)
		g_byte_array_append(w->in, buf, (guint)n);
	size_t need = packet_need(w);
	return need && w->in->len >= need;
}

static bool fill(struct wire *w, size_t need, struct ib_error **err)
{
	while (w->in->len < need) {
		guint have = w->in->len;
		uint32_t want = (uint32_t)MAX(need - have, 4096);
		g_byte_array_set_size(w->in, have + want);
		int n = ssh_channel_read_timeout(w->channel, w->in->data + have, want, 0, w->timeout_ms);
		g_byte_array_set_size(w->in, have + (guint)MAX(n, 0));
		if (n < 0)
			return ib_throw(err, IB_ERR_SYSTEM, "the connection broke: %s", ssh_get_error(w->session));
		if (n == 0 && ssh_channel_is_eof(w->channel))
			return ib_throw(err, IB_ERR_SYSTEM, "the server closed the connection");
		if (n == 0)
			return ib_throw(err, IB_ERR_SYSTEM, "the server did not answer for %d s", w->timeout_ms / 1000);
	}
	return true;
}

bool wire_receive(struct wire *w, struct answer *ret, struct ib_error **err)
{
	if (!fill(w, 4, err))
		return false;
	size_t need = packet_need(w);
	if (need < 5 || need > PACKET_MAX)
		return ib_throw(err, IB_ERR_SYSTEM, "the server sent a packet of %zu bytes, at most %u are accepted", need, PACKET_MAX);
	if (!fill(w, need, err))
		return false;
	ret->type = w->in->data[4];
	ret->body = g_bytes_new(w->in->data + 5, need - 5);
	ret->at = ib_reader_over(g_bytes_get_data(ret->body, NULL), need - 5);
	g_byte_array_remove_range(w->in, 0, (guint)need);
	return true;
}
