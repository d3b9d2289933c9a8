/* imgbuild, the command: one table of commands, one table of options each. Help, man page and shell completion come from them. */
#ifndef IMGBUILD_H
#define IMGBUILD_H

#include <json-glib/json-glib.h>

#include "base/base.h"

/** One option of a command. A table ends with a NULL name. */
struct option {
	const char *name;     /**< long name without "--" */
	char letter;          /**< or 0 */
	const char *argument; /**< word for its value, or NULL for a switch */
	bool repeatable;
	const char *help;     /**< one line */
};

/** What was given on the command line. */
struct args {
	GPtrArray *words;     /**< char *: arguments that are no options; borrowed from argv */
	GHashTable *options;  /**< name -> GPtrArray of char * */
};

/** Everything a command needs from outside: libraries read no environment and no clock. */
struct context {
	const struct args *args;
	bool json;            /**< --format=json */
	unsigned threads;     /**< -j */
	int64_t now;          /**< seconds since 1970 */
	char *data_dir;       /**< holds manifests/ */
	struct ib_progress *progress;
};

struct command {
	const char *name;
	const char *arguments; /**< "PROFILE" */
	unsigned least, most;  /**< number of words */
	const char *summary;   /**< one line */
	const struct option *options;
	/** @return exit status; -1: failed, err is set */
	int (*run)(struct context *c, struct ib_error **err);
};

extern const struct command commands[];
extern const struct option common_options[];

/* args.c */
/** "FILE:2" means image 2, unless a file of that very name exists; index 0: none given. Owned by the caller (g_free). */
char *args_split_index(const char *word, unsigned *ret_index);
bool args_parse(const struct command *command, int argc, char **argv, struct args **ret, struct ib_error **err);
void args_free(struct args *a);
/** The value of an option, the last one when given twice; NULL when absent. */
const char *args_value(const struct args *a, const char *name);
/** All values, NULL-ended; never NULL; owned by the caller (g_free, not the strings). */
char **args_values(const struct args *a, const char *name);
bool args_has(const struct args *a, const char *name);
const char *args_word(const struct args *a, unsigned i);

/* details.c */
/** What a command does, in a few sentences; NULL for a command without. */
const char *details_text(const char *command);
/** One command line to try; NULL likewise. */
const char *details_example(const char *command);

/* help.c */
void help_all(void);
void help_command(const struct command *command);
/** The man page (roff) of the whole tool on stdout. */
void help_man(void);
/** Bash completion on stdout. */
void help_completion(void);

/* render.c */
/** Set up progress by --progress; NULL when there is none to show. */
bool render_progress(const char *how, struct ib_progress **ret, struct ib_error **err);
/** Clear what a terminal renderer left on the line. */
void render_end(void);
/** Set the log sink by --log-level and --log-format. */
bool render_log(const char *level, const char *format, struct ib_error **err);
/** Print a JSON text as it is, or as indented lines for people. */
void render_document(const char *json, bool as_json);
/** The same of an object; borrowed. */
void render_object(JsonObject *object, bool as_json);
/** Print the one result of a command: a line of text, or the document {"name": "value"}. */
void render_result(bool as_json, const char *name, const char *value, const char *text);

/* secret.c */
/** ib_secret_fn: env:NAME and file:PATH (mode 0600). */
bool secret_get(const char *reference, char **ret, void *data, struct ib_error **err);

/* one file per command */
int cmd_build(struct context *c, struct ib_error **err);
int cmd_plan(struct context *c, struct ib_error **err);
int cmd_profile(struct context *c, struct ib_error **err);
int cmd_inspect(struct context *c, struct ib_error **err);
int cmd_service(struct context *c, struct ib_error **err);
int cmd_component(struct context *c, struct ib_error **err);
int cmd_mount(struct context *c, struct ib_error **err);
int cmd_unmount(struct context *c, struct ib_error **err);
int cmd_hive(struct context *c, struct ib_error **err);
int cmd_diff(struct context *c, struct ib_error **err);
int cmd_verify(struct context *c, struct ib_error **err);
int cmd_keyform(struct context *c, struct ib_error **err);
int cmd_package(struct context *c, struct ib_error **err);
int cmd_delta(struct context *c, struct ib_error **err);
int cmd_approve(struct context *c, struct ib_error **err);
int cmd_publish(struct context *c, struct ib_error **err);
int cmd_check_delivery(struct context *c, struct ib_error **err);
int cmd_manual(struct context *c, struct ib_error **err);

extern const struct option component_options[], hive_options[], delta_options[], package_options[];
extern const struct option build_options[], plan_options[], profile_options[], inspect_options[], service_options[], mount_options[],
	diff_options[], verify_options[],
	keyform_options[], approve_options[], publish_options[], check_delivery_options[], manual_options[];

#endif
