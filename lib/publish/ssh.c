#include "publish/internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include <libssh/libssh.h>

/* A packet from a server is no longer than this: the largest we ask for is 255 KiB of data. */
#define PACKET_MAX (1u << 20)
#define TIMEOUT_DEFAULT_S 30u
#define TIMEOUT_MAX_S 86400u
/* Bytes taken from libssh at a time: what one SSH packet usually carries. */
#define READ_SIZE 32768u
/*
 * What the server may send before we take it. libssh's own 1.25 MiB hold a download back as soon as the
 * round trip is long; a read that asks for more than the window makes it widen the window.
 */
#define READ_AHEAD (4u << 20)

struct wire {
	ssh_session session;
	ssh_channel channel;
	GByteArray *in;      /* bytes received; those before `taken` are used up */
	guint taken;
	guint since_wide;    /* bytes received since the window was widened */
	unsigned timeout_s;
	gint64 heard;        /* monotonic time of the last byte that went either way, microseconds */
	bool broken;         /* an error was reported: nothing more is sent or awaited */
};

/*
 * Kinds of host keys by type, best first. A server may have several and shows one per connection;
 * the pinned one counts.
 */
static const struct {
	enum ssh_keytypes_e type;
	const char *algorithms;
} host_key_kinds[] = {
	{ SSH_KEYTYPE_ED25519, "ssh-ed25519" },
	{ SSH_KEYTYPE_ECDSA_P256, "ecdsa-sha2-nistp256" },
	{ SSH_KEYTYPE_ECDSA_P384, "ecdsa-sha2-nistp384" },
	{ SSH_KEYTYPE_ECDSA_P521, "ecdsa-sha2-nistp521" },
	{ SSH_KEYTYPE_RSA, "rsa-sha2-512,rsa-sha2-256" },
};

/* AES first: processors have instructions for it. */
#define CIPHERS "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-ctr"

char *clean_text(const char *text, size_t len)
{
	char *clean = g_utf8_make_valid(text, (gssize)MIN(len, 200));

	for (char *c = clean; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	return g_strchomp(clean);
}

/* ---- connecting ---- */

static bool throw_ssh(struct wire *w, struct ib_error **err, const char *what, const struct sftp_address *a)
{
	const char *text = ssh_get_error(w->session);
	g_autofree char *said = clean_text(text, strlen(text));

	return ib_throw(err, IB_ERR_SYSTEM, "%s '%s' port %u: %s", what, a->host, a->port, said);
}

static bool throw_broken(struct wire *w, struct ib_error **err, const char *what)
{
	const char *text = ssh_get_error(w->session);
	g_autofree char *said = clean_text(text, strlen(text));

	w->broken = true;
	return ib_throw(err, IB_ERR_SYSTEM, "%s%s%s", what, *said ? ": " : "", said);
}

static bool throw_silent(struct wire *w, struct ib_error **err)
{
	w->broken = true;
	return ib_throw(err, IB_ERR_SYSTEM, "the server did not answer for %u s", w->timeout_s);
}

/* No file of the user or of the system takes part: neither its configuration nor its known hosts. */
static bool set_options(struct wire *w, const struct sftp_address *a, const char *kinds)
{
	int no = 0, yes = 1, verbosity = SSH_LOG_NOLOG;
	long timeout = (long)w->timeout_s;

	return ssh_options_set(w->session, SSH_OPTIONS_PROCESS_CONFIG, &no) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_LOG_VERBOSITY, &verbosity) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_HOST, a->host) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_PORT, &a->port) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_USER, a->user) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_TIMEOUT, &timeout) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_NODELAY, &yes) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_CIPHERS_C_S, CIPHERS) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_CIPHERS_S_C, CIPHERS) == 0 &&
	       ssh_options_set(w->session, SSH_OPTIONS_HOSTKEYS, kinds) == 0;
}

static void close_session(struct wire *w)
{
	if (w->session) {
		ssh_set_blocking(w->session, 0); /* a peer that is stuck must not hold us */
		ssh_disconnect(w->session);
		ssh_free(w->session);
	}
	w->session = NULL;
}

/* The server's key: its type, and "SHA256:…" owned by the caller (g_free) or NULL. */
static char *server_fingerprint(struct wire *w, enum ssh_keytypes_e *ret_type)
{
	unsigned char *hash = NULL;
	ssh_key key = NULL;
	char *text = NULL, *copy = NULL;
	size_t len;

	if (ssh_get_server_publickey(w->session, &key) == SSH_OK &&
	    ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == 0)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
	copy = g_strdup(text);
	*ret_type = ssh_key_type(key);
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
	ssh_key_free(key);
	return copy;
}

/* The kinds not seen yet, as the list that is offered; NULL when there is none. */
static char *kinds_left(const bool seen[G_N_ELEMENTS(host_key_kinds)])
{
	GString *list = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(host_key_kinds); i++)
		if (!seen[i])
			g_string_append_printf(list, "%s%s", list->len ? "," : "", host_key_kinds[i].algorithms);
	return g_string_free(list, list->len == 0);
}

/*
 * Connect until the pinned key is seen: each time without the kinds of keys the server has shown.
 * The first connection must succeed; when a later one does not, the server has no further kind.
 */
static bool connect_pinned(struct wire *w, const struct sftp_address *a, const char *pinned, struct ib_error **err)
{
	g_autoptr(GString) keys = g_string_new(NULL);
	bool seen[G_N_ELEMENTS(host_key_kinds)] = { false };
	g_autofree char *left = kinds_left(seen);

	while (left) {
		enum ssh_keytypes_e type;
		size_t kind = 0;
		w->session = ssh_new();
		if (!w->session)
			return ib_throw_memory(err);
		if (!set_options(w, a, left))
			return throw_ssh(w, err, "cannot prepare a connection to", a);
		bool connected = ssh_connect(w->session) == SSH_OK;
		if (!connected && keys->len == 0)
			return throw_ssh(w, err, "cannot connect to", a);
		g_autofree char *shown = connected ? server_fingerprint(w, &type) : NULL;
		if (shown && strcmp(shown, pinned) == 0)
			return true;
		close_session(w);
		while (shown && kind < G_N_ELEMENTS(host_key_kinds) && host_key_kinds[kind].type != type)
			kind++;
		if (!shown || kind == G_N_ELEMENTS(host_key_kinds) || seen[kind])
			break;
		g_string_append_printf(keys, "%s%s", keys->len ? " and " : "", shown);
		seen[kind] = true;
		g_free(left);
		left = kinds_left(seen);
	}
	ib_throw(err, IB_ERR_SYSTEM, "'%s' port %u is not the pinned server: it shows %s, pinned is %s", a->host, a->port,
		 keys->len ? keys->str : "no key that can be read", pinned);
	return ib_hint(err, "ask the server's owner whether its key was changed; nothing was sent");
}

/* ---- logging in ---- */

static bool login_result(struct wire *w, int rc, const struct sftp_address *a, const char *how, struct ib_error **err)
{
	if (rc == SSH_AUTH_SUCCESS)
		return true;
	if (rc == SSH_AUTH_AGAIN)
		return throw_silent(w, err);
	if (rc == SSH_AUTH_ERROR)
		return throw_ssh(w, err, "cannot log in to", a);
	if (rc == SSH_AUTH_PARTIAL)
		return ib_throw(err, IB_ERR_SYSTEM, "'%s' wants more than %s from user '%s'", a->host, how, a->user);
	ib_throw(err, IB_ERR_SYSTEM, "'%s' does not let user '%s' in with %s", a->host, a->user, how);
	return ib_hint(err, "check the user in [publish] url and the key or password beside it");
}

struct unlock {
	const char *passphrase;
	bool asked;
};

/* libssh asks here for a locked key; without this OpenSSL would ask on the terminal. */
static int give_passphrase(const char *prompt, char *buf, size_t len, int echo, int verify, void *data)
{
	struct unlock *u = data;

	u->asked = true;
	if (!u->passphrase || g_strlcpy(buf, u->passphrase, len) >= len)
		return -1;
	return 0;
}

static bool import_key(const char *path, const char *passphrase, ssh_key *ret, struct ib_error **err)
{
	struct unlock u = { .passphrase = passphrase };
	struct stat st;

	if (stat(path, &st) < 0)
		return ib_throw_errno(err, IB_ERR_INPUT, errno, "cannot read the private key '%s'", path);
	if (!S_ISREG(st.st_mode))
		return ib_throw(err, IB_ERR_INPUT, "the private key '%s' is not a file", path);
	if (st.st_mode & 077) {
		ib_throw(err, IB_ERR_INPUT, "the private key '%s' is open to other users (mode %04o)", path,
			 (unsigned)st.st_mode & 07777);
		return ib_hint(err, "chmod 600 '%s'", path);
	}
	if (ssh_pki_import_privkey_file(path, NULL, give_passphrase, &u, ret) == SSH_OK)
		return true;
	if (!u.asked)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no private key that can be read", path);
	if (passphrase)
		return ib_throw(err, IB_ERR_INPUT, "the passphrase does not open the private key '%s'", path);
	ib_throw(err, IB_ERR_INPUT, "the private key '%s' is locked and no passphrase was given", path);
	return ib_hint(err, "set [publish] password = env:NAME, or load the key into an agent and set key = agent");
}

static bool log_in(struct wire *w, const struct sftp_address *a, const struct ib_publish_options *o,
		   struct ib_error **err)
{
	if (o->key && strcmp(o->key, "agent") == 0)
		return login_result(w, ssh_userauth_agent(w->session, NULL), a, "a key of the agent", err);
	if (o->key) {
		g_autofree char *how = g_strdup_printf("the key '%s'", o->key);
		ssh_key key = NULL;
		if (!import_key(o->key, o->passphrase, &key, err))
			return false;
		int rc = ssh_userauth_publickey(w->session, NULL, key);
		ssh_key_free(key);
		return login_result(w, rc, a, how, err);
	}
	if (o->password)
		return login_result(w, ssh_userauth_password(w->session, NULL, o->password), a, "the password", err);
	ib_throw(err, IB_ERR_USAGE, "neither a key nor a password was given for user '%s'", a->user);
	return ib_hint(err, "set [publish] key");
}

/* ---- waiting: never longer than the time-out without a byte ---- */

static bool check_usable(struct wire *w, struct ib_error **err)
{
	if (w->broken)
		return ib_throw(err, IB_ERR_SYSTEM, "the connection was given up after an earlier error");
	w->heard = g_get_monotonic_time();
	return true;
}

/* Until the socket has something to do. At most a second each time: libssh may hold a packet back. */
static bool wait_socket(struct wire *w, struct ib_error **err)
{
	gint64 left_ms = (w->heard + (gint64)w->timeout_s * G_USEC_PER_SEC - g_get_monotonic_time()) / 1000;
	struct pollfd p = { .fd = ssh_get_fd(w->session), .events = POLLIN };

	if (left_ms <= 0)
		return throw_silent(w, err);
	if (ssh_get_poll_flags(w->session) & SSH_WRITE_PENDING)
		p.events |= POLLOUT;
	(void)!poll(&p, 1, (int)MIN(left_ms, 1000));
	return true;
}

static bool open_channel(struct wire *w, const struct sftp_address *a, struct ib_error **err)
{
	int rc;

	/* From here on nothing of libssh blocks: its own waits for a channel know no time-out. */
	ssh_set_blocking(w->session, 0);
	w->heard = g_get_monotonic_time();
	w->channel = ssh_channel_new(w->session);
	if (!w->channel)
		return ib_throw_memory(err);
	while ((rc = ssh_channel_open_session(w->channel)) == SSH_AGAIN)
		if (!wait_socket(w, err))
			return false;
	if (rc != SSH_OK)
		return throw_ssh(w, err, "no session at", a);
	while ((rc = ssh_channel_request_sftp(w->channel)) == SSH_AGAIN)
		if (!wait_socket(w, err))
			return false;
	return rc == SSH_OK ? true : throw_ssh(w, err, "no SFTP at", a);
}

bool wire_open(const struct sftp_address *address, const struct ib_publish_options *o, struct wire **ret,
	       struct ib_error **err)
{
	struct wire *w = g_new0(struct wire, 1);

	w->in = g_byte_array_new();
	w->since_wide = READ_AHEAD;
	w->timeout_s = o->timeout_s ? MIN(o->timeout_s, TIMEOUT_MAX_S) : TIMEOUT_DEFAULT_S;
	if (!connect_pinned(w, address, o->host_key, err) || !log_in(w, address, o, err) ||
	    !open_channel(w, address, err)) {
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
	if (w->channel)
		ssh_channel_free(w->channel);
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

/* What libssh could not hand to the kernel yet must leave first: memory stays at one packet. */
static bool flush(struct wire *w, struct ib_error **err)
{
	if (!(ssh_get_poll_flags(w->session) & SSH_WRITE_PENDING))
		return true;
	int rc = ssh_blocking_flush(w->session, (int)w->timeout_s * 1000);
	if (rc == SSH_AGAIN)
		return throw_silent(w, err);
	return rc == SSH_OK ? true : throw_broken(w, err, "the connection broke while sending");
}

bool wire_send(struct wire *w, struct packet *p, struct ib_error **err)
{
	g_autoptr(GByteArray) bytes = g_steal_pointer(&p->bytes);

	if (!check_usable(w, err) || !flush(w, err))
		return false;
	ib_put_be32(bytes->data, bytes->len - 4);
	for (guint at = 0; at < bytes->len;) {
		int n = ssh_channel_write(w->channel, bytes->data + at, bytes->len - at);
		if (n > 0) {
			at += (guint)n;
			w->heard = g_get_monotonic_time();
			continue;
		}
		/* 0: the server's window is full; a server that hung up will not open it */
		if ((n < 0 && n != SSH_AGAIN) || ssh_channel_is_eof(w->channel) || !ssh_is_connected(w->session))
			return throw_broken(w, err, "the connection broke while sending");
		if (!wait_socket(w, err))
			return false;
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

/* Bytes received and not yet taken. */
static size_t pending(const struct wire *w)
{
	return w->in->len - w->taken;
}

/* Bytes the packet at the front needs in all; 0 when its length has not arrived. */
static size_t packet_need(const struct wire *w)
{
	return pending(w) < 4 ? 0 : 4 + (size_t)ib_be32(w->in->data + w->taken);
}

/* Take what has arrived until the packet at the front is whole, without waiting. false: the connection is gone. */
static bool pump(struct wire *w)
{
	for (size_t need = packet_need(w); !need || (need <= PACKET_MAX && pending(w) < need); need = packet_need(w)) {
		uint32_t want = w->since_wide >= READ_AHEAD / 4 ? READ_AHEAD : READ_SIZE;
		g_byte_array_remove_range(w->in, 0, w->taken); /* what stays is less than a packet */
		w->taken = 0;
		guint have = w->in->len;
		g_byte_array_set_size(w->in, have + want);
		int n = ssh_channel_read_timeout(w->channel, w->in->data + have, want, 0, 0);
		g_byte_array_set_size(w->in, have + (guint)MAX(n, 0));
		w->since_wide = (want == READ_AHEAD ? 0 : w->since_wide) + (guint)MAX(n, 0);
		if (n == 0 || n == SSH_AGAIN)
			return ssh_is_connected(w->session) && !ssh_channel_is_eof(w->channel);
		if (n < 0)
			return false;
		w->heard = g_get_monotonic_time();
	}
	return true;
}

bool wire_ready(struct wire *w)
{
	if (w->broken)
		return false;
	(void)!pump(w); /* a lost connection is reported by who waits for an answer */
	size_t need = packet_need(w);
	return need && pending(w) >= need;
}

bool wire_receive(struct wire *w, struct answer *ret, struct ib_error **err)
{
	size_t need;

	if (!check_usable(w, err))
		return false;
	for (;;) {
		bool alive = pump(w);
		need = packet_need(w);
		if (need && (need < 5 || need > PACKET_MAX)) {
			w->broken = true;
			return ib_throw(err, IB_ERR_SYSTEM, "the server sent a packet of %zu bytes, 5 to %u are accepted", need,
					PACKET_MAX);
		}
		if (need && pending(w) >= need)
			break;
		if (!alive)
			return throw_broken(w, err, "the server closed the connection");
		if (!wait_socket(w, err))
			return false;
	}
	const uint8_t *p = w->in->data + w->taken;
	ret->type = p[4];
	ret->body = g_bytes_new(p + 5, need - 5);
	ret->at = ib_reader_over(g_bytes_get_data(ret->body, NULL), need - 5);
	w->taken += (guint)need;
	return true;
}
