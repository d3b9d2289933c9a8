/*
 * An SFTP server that breaks its word in one way: publish_hostile HOST_KEY MODE
 * Prints its port on 127.0.0.1, serves one connection (user u, password "right"), ends; after 60 s in any case.
 * Every file it is asked for has FILE_SIZE bytes of zeros; what is written to it is thrown away. The modes are below.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh/libssh.h>
#include <libssh/server.h>

#include "base/base.h"

#define FILE_SIZE 1000000u

enum { INIT = 1, OPEN = 3, CLOSE = 4, READ = 5, WRITE = 6, STAT = 17, STATUS = 101, HANDLE = 102, DATA = 103, ATTRS = 105 };

static const char *mode;

static bool is(const char *name)
{
	return strcmp(mode, name) == 0;
}

/* ---- packets ---- */

static void u32(GByteArray *p, uint32_t v)
{
	uint8_t b[4];

	ib_put_be32(b, v);
	g_byte_array_append(p, b, 4);
}

static GByteArray *packet(uint8_t type, uint32_t id)
{
	GByteArray *p = g_byte_array_new();

	u32(p, 0);
	g_byte_array_append(p, &type, 1);
	u32(p, id);
	return p;
}

static void text(GByteArray *p, const char *t, size_t n)
{
	u32(p, (uint32_t)n);
	g_byte_array_append(p, (const uint8_t *)t, (guint)n);
}

static bool send_raw(ssh_channel c, const void *data, size_t n)
{
	return ssh_channel_write(c, data, (uint32_t)n) == (int)n;
}

static bool send_packet(ssh_channel c, GByteArray *p)
{
	ib_put_be32(p->data, p->len - 4);
	bool ok = send_raw(c, p->data, p->len);
	g_byte_array_unref(p);
	return ok;
}

static GByteArray *status(uint32_t id, uint32_t code, const char *t)
{
	GByteArray *p = packet(STATUS, id);

	u32(p, code);
	text(p, t, strlen(t));
	text(p, "", 0);
	return p;
}

static bool hang(void)
{
	sleep(60);
	return false;
}

/* ---- answers, good unless the mode says so ---- */

static bool greet(ssh_channel c)
{
	GByteArray *p = packet(2, is("old-version") ? 2 : 3);

	if (is("silent"))
		return hang();
	if (is("close"))
		return false;
	if (is("huge"))
		return send_raw(c, "\xff\xff\xff\xff\x02", 5);
	if (is("over-limit"))
		return send_raw(c, "\x00\x10\x00\x01\x02", 5) && hang();
	if (is("zero"))
		return send_raw(c, "\0\0\0\0\0\0\0\0", 8);
	if (is("no-version"))
		return send_raw(c, "\0\0\0\1\2", 5);
	if (is("half"))
		return send_raw(c, "\0\0\0\5\2", 5) && false;
	if (is("cut-extension"))
		g_byte_array_append(p, (const uint8_t *)"\xff\xff\xff\xffxx", 6);
	if (is("liar-limits")) {
		text(p, "limits@openssh.com", 18);
		text(p, "1", 1);
		text(p, "statvfs@openssh.com", 19);
		text(p, "2", 1);
	}
	while (is("flood") && send_packet(c, status(0, 0, "")))
		;
	return send_packet(c, p);
}

static bool answer_read(ssh_channel c, uint32_t id, struct ib_reader *r)
{
	static const char zeros[1 << 18];
	uint64_t at;
	uint32_t n;

	ib_reader_take(r, ib_be32(r->data + 5) + 4);
	const uint8_t *p = ib_reader_take(r, 12);
	if (!p)
		return false;
	at = (uint64_t)ib_be32(p) << 32 | ib_be32(p + 4);
	n = MIN(ib_be32(p + 8), (uint32_t)sizeof zeros / 2);
	n = at < FILE_SIZE ? MIN(n, (uint32_t)(FILE_SIZE - at)) : 0;
	GByteArray *a = packet(DATA, id);
	if (is("short-data"))
		n = MAX(1, n / 3);
	if (is("long-data"))
		n++;
	if (is("empty-data"))
		n = 0;
	if (is("early-end") && at > 0) {
		g_byte_array_unref(a);
		return send_packet(c, status(id, 1, "the end"));
	}
	text(a, zeros, n);
	if (is("cut-data"))
		ib_put_be32(a->data + 9, n + 1);
	return send_packet(c, a);
}

static bool answer_stat(ssh_channel c, uint32_t id)
{
	GByteArray *a = packet(ATTRS, id);

	if (is("no-size")) {
		u32(a, 0);
		return send_packet(c, a);
	}
	if (is("cut-attrs")) {
		u32(a, 1);
		return send_packet(c, a);
	}
	u32(a, 1);
	u32(a, is("giant") ? 0x7fffffff : 0);
	u32(a, FILE_SIZE);
	return send_packet(c, a);
}

static bool answer(ssh_channel c, const uint8_t *data, size_t len)
{
	struct ib_reader r = ib_reader_over(data, len);
	uint8_t type = ib_reader_u8(&r);
	const uint8_t *p = ib_reader_take(&r, 4);
	uint32_t id = p ? ib_be32(p) : 0;

	if (type == INIT)
		return greet(c);
	if (is("wrong-id"))
		id += 1000;
	if (is("empty-status"))
		return send_packet(c, packet(STATUS, id));
	if (is("escape"))
		return send_packet(c, status(id, 4, "\033]0;pwned\007\r\n\xff\xfe bad"));
	if (is("unknown-status"))
		return send_packet(c, status(id, 77777, "?"));
	if (type == 200) { /* limits, statvfs: all ones */
		GByteArray *a = packet(201, id);
		for (int i = 0; i < 22; i++)
			u32(a, UINT32_MAX);
		return send_packet(c, a);
	}
	if (type == STAT)
		return answer_stat(c, id);
	if (type == OPEN) {
		GByteArray *a = packet(HANDLE, id);
		g_autofree char *handle = g_strnfill(1000, 'h');
		text(a, handle, is("long-handle") ? 1000 : is("no-handle") ? 0 : 4);
		return send_packet(c, a);
	}
	if (type == READ)
		return answer_read(c, id, &r);
	if (type == WRITE && is("write-never"))
		return hang();
	if (type == WRITE && is("write-quota"))
		return send_packet(c, status(id, 4, "Disk quota exceeded"));
	if (type == WRITE && is("write-wrong-id"))
		return send_packet(c, status(id + 70000, 0, ""));
	if (type == CLOSE && is("close-fails"))
		return send_packet(c, status(id, 4, "late"));
	return send_packet(c, status(id, 0, ""));
}

/* ---- one connection ---- */

static void serve(ssh_channel c)
{
	g_autoptr(GByteArray) in = g_byte_array_new();
	static uint8_t buf[1 << 16];
	int n;

	while ((n = ssh_channel_read(c, buf, sizeof buf, 0)) > 0) {
		g_byte_array_append(in, buf, (guint)n);
		while (in->len >= 5 && in->len >= 4 + ib_be32(in->data)) {
			uint32_t len = ib_be32(in->data);
			if (!answer(c, in->data + 4, len))
				return;
			g_byte_array_remove_range(in, 0, 4 + len);
		}
	}
}

G_GNUC_BEGIN_IGNORE_DEPRECATIONS
static void log_in(ssh_message m)
{
	const char *password = ssh_message_subtype(m) == SSH_AUTH_METHOD_PASSWORD ? ssh_message_auth_password(m) : NULL;

	if (is("auth-silent"))
		hang();
	if (password && strcmp(password, "right") == 0) {
		ssh_message_auth_reply_success(m, is("partial"));
		return;
	}
	ssh_message_auth_set_methods(m, SSH_AUTH_METHOD_PASSWORD);
	ssh_message_reply_default(m);
}
G_GNUC_END_IGNORE_DEPRECATIONS

static void converse(ssh_session s)
{
	ssh_channel c = NULL;
	ssh_message m;

	while ((m = ssh_message_get(s))) {
		int type = ssh_message_type(m);
		bool started = false;
		if (type == SSH_REQUEST_AUTH)
			log_in(m);
		else if (type == SSH_REQUEST_CHANNEL_OPEN && is("no-channel"))
			hang();
		else if (type == SSH_REQUEST_CHANNEL_OPEN && !is("deny-channel"))
			c = ssh_message_channel_request_open_reply_accept(m);
		else if (type == SSH_REQUEST_CHANNEL && is("no-subsystem"))
			hang();
		else if (type == SSH_REQUEST_CHANNEL && !is("deny-subsystem"))
			started = ssh_message_channel_request_reply_success(m) == SSH_OK;
		else
			ssh_message_reply_default(m);
		ssh_message_free(m);
		if (started) {
			serve(c);
			return;
		}
	}
}

int main(int argc, char **argv)
{
	ssh_bind b = ssh_bind_new();
	ssh_session s = ssh_new();
	struct sockaddr_in at = { 0 };
	socklen_t len = sizeof at;
	unsigned port = 0;

	if (argc != 3)
		return 2;
	mode = argv[2];
	alarm(60);
	ssh_bind_options_set(b, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
	ssh_bind_options_set(b, SSH_BIND_OPTIONS_BINDPORT, &port);
	ssh_bind_options_set(b, SSH_BIND_OPTIONS_HOSTKEY, argv[1]);
	if (ssh_bind_listen(b) != SSH_OK || getsockname(ssh_bind_get_fd(b), (struct sockaddr *)&at, &len) < 0) {
		fprintf(stderr, "publish_hostile: %s\n", ssh_get_error(b));
		return 5;
	}
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	if (is("mute"))
		hang();
	if (ssh_bind_accept(b, s) == SSH_OK && ssh_handle_key_exchange(s) == SSH_OK)
		converse(s);
	ssh_disconnect(s);
	ssh_free(s);
	ssh_bind_free(b);
	return 0;
}
