/* Keys in tokens, through OpenSSL's pkcs11 engine: Debian 12 has no PKCS#11 provider. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "trust/internal.h"

#include <string.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>

static bool throw_token(struct ib_error **err, const char *name, const char *what)
{
	return ib_throw(err, IB_ERR_SYSTEM, "key '%s': %s: %s", name, what, ib_ossl_reason());
}

static ENGINE *find_engine(const char *path)
{
	if (!path)
		return ENGINE_by_id("pkcs11");
	ENGINE *e = ENGINE_by_id("dynamic");
	if (e && ENGINE_ctrl_cmd_string(e, "SO_PATH", path, 0) == 1 && ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0) == 1)
		return e;
	ENGINE_free(e);
	return NULL;
}

/* Configure and initialise; the engine is then held twice, as it was found and as it works. */
static bool start(ENGINE *e, const struct ib_signing_key_source *source, const char *name, struct ib_error **err)
{
	IB_CLEANUP(ib_secret_free) char *pin = NULL;
	bool in_uri = strstr(source->key, "pin-value=") || strstr(source->key, "pin-source=");

	/* Without this the engine writes to stderr by itself. */
	ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 0);
	if (ENGINE_ctrl_cmd_string(e, "MODULE_PATH", source->pkcs11_module, 0) != 1)
		return throw_token(err, name, "the engine does not take the token's library");
	if (!in_uri) {
		if (!ib_secret_ask(source, name, &pin, err))
			return false;
		if (ENGINE_ctrl_cmd_string(e, "PIN", pin, 0) != 1)
			return throw_token(err, name, "the engine does not take the PIN");
	}
	if (ENGINE_init(e) != 1)
		return throw_token(err, name, "the token's library cannot be started");
	return true;
}

bool ib_pkcs11_load(const struct ib_signing_key_source *source, const char *name, EVP_PKEY **ret, void **ret_engine,
		    struct ib_error **err)
{
	if (!source->pkcs11_module || !g_file_test(source->pkcs11_module, G_FILE_TEST_IS_REGULAR))
		return ib_throw(err, IB_ERR_INPUT, "key '%s' is in a token, but its PKCS#11 library %s%s%s", name,
				source->pkcs11_module ? "'" : "", source->pkcs11_module ? source->pkcs11_module : "",
				source->pkcs11_module ? "' is missing" : "is not named");
	ENGINE *e = find_engine(source->pkcs11_engine);
	if (!e) {
		throw_token(err, name, "OpenSSL's pkcs11 engine cannot be loaded");
		return ib_hint(err, "install the package libengine-pkcs11-openssl");
	}
	if (!start(e, source, name, err)) {
		ENGINE_free(e);
		return false;
	}
	/* The engine asks through this when the PIN is refused; on no terminal of ours. */
	UI_METHOD *silent = UI_create_method("no questions");
	EVP_PKEY *key = ENGINE_load_private_key(e, source->key, silent, NULL);
	UI_destroy_method(silent);
	if (!key) {
		throw_token(err, name, "the token does not give the key");
		ENGINE_finish(e);
		ENGINE_free(e);
		return ib_hint(err, "check the PIN and the URI; a token that holds an Ed25519 key hides all its keys");
	}
	*ret = key;
	*ret_engine = e;
	return true;
}

void ib_pkcs11_close(void *engine)
{
	ENGINE_finish(engine);
	ENGINE_free(engine);
}
