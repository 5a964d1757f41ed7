/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Configuration commands of the node `policy`: one for each setting of core/policy.h.
 *
 * The commands are made from tables: which settings there are, which words each may be.  The words themselves are those
 * of core; nothing is spelled here a second time.  What a step does not know cannot be typed. */
#include "gate/vty.h"

#include <stddef.h>
#include <string.h>

#include <osmocom/core/linuxlist.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>
#include <osmocom/vty/vty.h>

#include "gate/gate.h"

#define MAY(action) (1u << (action))
#define MAY_COLOUR  (MAY(WEIR_DO_WHITE) | MAY(WEIR_DO_GREY) | MAY(WEIR_DO_BLACK) | MAY(WEIR_DO_UNKNOWN))

static const char *const action_help[WEIR_N_ACTIONS] = {
	[WEIR_DO_WHITE] = "Tell white",
	[WEIR_DO_GREY] = "Tell grey",
	[WEIR_DO_BLACK] = "Tell black",
	[WEIR_DO_UNKNOWN] = "Tell unknown",
	[WEIR_DO_CONTINUE] = "Go on to the next step",
	[WEIR_DO_REFUSE] = "Refuse with the protocol's own error",
	[WEIR_DO_INHERIT] = "Say nothing here: the next wider setting holds",
};

/* A setting that exists for all, for an interface and for a peer. */
struct term {
	const char *name, *help;
	size_t offset;
	unsigned may;
};

static const struct term terms[] = {
	{"peer", "Step 2: may it ask at all, or is it always told the same", offsetof(struct weir_terms, peer),
	 MAY_COLOUR | MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_REFUSE)},
	{"malformed", "Step 3: an identity that cannot be read", offsetof(struct weir_terms, malformed),
	 MAY_COLOUR | MAY(WEIR_DO_REFUSE)},
	{"store-failure", "Step 5: the register cannot say", offsetof(struct weir_terms, store_failure),
	 MAY(WEIR_DO_WHITE) | MAY(WEIR_DO_BLACK) | MAY(WEIR_DO_UNKNOWN) | MAY(WEIR_DO_REFUSE)},
	{"restrictive", "Step 10: a device that no level has on the white list",
	 offsetof(struct weir_terms, restrictive), MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_GREY) | MAY(WEIR_DO_BLACK)},
	{"unknown", "Step 11: a device on no list", offsetof(struct weir_terms, unknown), MAY_COLOUR},
};
#define N_TERMS ARRAY_SIZE(terms)

/* A command made from a row. */
struct made {
	struct cmd_element cmd;
	const struct term *term;
};

static struct cmd_node policy_node = {
	.node = POLICY_NODE, .prompt = "%s(config-policy)# ", .vtysh = 1, .name = "policy"};

static enum weir_action *term_of(struct weir_terms *of, const struct term *term)
{
	return (enum weir_action *)((char *)of + term->offset);
}

static const struct term *self_term(const struct cmd_element *self)
{
	return container_of(self, struct made, cmd)->term;
}

static struct policy_config *draft(void)
{
	return &the_gate->draft->policy;
}

static int refused(struct vty *vty, const struct weir_why *why)
{
	vty_out(vty, "%% %s%s", why->text, VTY_NEWLINE);
	return CMD_WARNING;
}

/* --- what the commands do */

static int set_override(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	(void)self, (void)vty, (void)argc;
	draft()->draft.override = action_from_name(argv[0]);
	return CMD_SUCCESS;
}

static int class_from_name(const char *name)
{
	for (unsigned i = 0; i < WEIR_IMEI_N_CLASSES; i++) {
		if (!strcmp(imei_class_name(i), name))
			return i;
	}
	return WEIR_IMEI_ORDINARY; /* ignored by the policy; the command's own words leave no other way here */
}

static int set_special(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	(void)self, (void)vty, (void)argc;
	draft()->draft.special[class_from_name(argv[0])] = action_from_name(argv[1]);
	return CMD_SUCCESS;
}

static int set_default(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	(void)vty, (void)argc;
	*term_of(&draft()->draft.defaults, self_term(self)) = action_from_name(argv[0]);
	return CMD_SUCCESS;
}

static int set_interface(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	int interface = interface_from_name(argv[0]);

	(void)vty, (void)argc;
	if (interface >= 0)
		*term_of(&draft()->draft.interface[interface], self_term(self)) = action_from_name(argv[1]);
	return CMD_SUCCESS;
}

static int set_peer(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	struct weir_why why;
	struct weir_peer_rule *rule = config_peer_terms(draft(), interface_from_name(argv[0]), argv[1], &why);

	(void)argc;
	if (!rule)
		return refused(vty, &why);
	*term_of(&rule->terms, self_term(self)) = action_from_name(argv[2]);
	config_tidy(draft());
	return CMD_SUCCESS;
}

static struct weir_imsi_rule *imsi_rule(struct vty *vty, const char *prefix)
{
	struct weir_why why;
	struct weir_imsi_rule *rule = config_imsi_rule(draft(), prefix, &why);

	if (!rule)
		refused(vty, &why);
	return rule;
}

static int set_imsi(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	struct weir_imsi_rule *rule = imsi_rule(vty, argv[0]);

	(void)self, (void)argc;
	if (!rule)
		return CMD_WARNING;
	rule->action = action_from_name(argv[1]);
	return CMD_SUCCESS;
}

static int set_imsi_term(struct cmd_element *self, struct vty *vty, int argc, const char *argv[])
{
	struct weir_imsi_rule *rule = imsi_rule(vty, argv[0]);

	(void)argc;
	if (!rule)
		return CMD_WARNING;
	if (self_term(self)->offset == offsetof(struct weir_terms, restrictive))
		rule->restrictive = action_from_name(argv[1]);
	else
		rule->unknown = action_from_name(argv[1]);
	return CMD_SUCCESS;
}

DEFUN(cfg_policy, cfg_policy_cmd, "policy", "The decision: its steps and their settings\n")
{
	vty->node = POLICY_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_no_imsi, cfg_no_imsi_cmd, "no imsi-prefix PREFIX", NO_STR "Forget a rule for subscribers\nIts digits\n")
{
	struct weir_why why;

	return config_del_imsi_rule(draft(), argv[0], &why) ? refused(vty, &why) : CMD_SUCCESS;
}

/* --- making them */

typedef const char *name_fn(unsigned value);

static const char *name_of_action(unsigned value)
{
	return action_name(value);
}

static const char *help_of_action(unsigned value)
{
	return action_help[value];
}

static const char *name_of_interface(unsigned value)
{
	return interface_name(value);
}

static const char *name_of_class(unsigned value)
{
	return imei_class_name(value);
}

/* "(white|grey)" into string, a line of help for each into doc. */
static void add_words(char **string, char **doc, unsigned may, name_fn *name, name_fn *help)
{
	const char *between = " (";

	for (unsigned i = 0; i < 32; i++) {
		if (!(may & (1u << i)))
			continue;
		*string = talloc_asprintf_append(*string, "%s%s", between, name(i));
		*doc = talloc_asprintf_append(*doc, "%s\n", help(i));
		between = "|";
	}
	*string = talloc_strdup_append(*string, ")");
}

static void add(char **to, const char *text)
{
	*to = talloc_strdup_append(*to, text);
}

typedef int set_fn(struct cmd_element *self, struct vty *vty, int argc, const char *argv[]);

static void make(const char *head, const char *head_doc, unsigned may_interfaces, const char *middle,
		 const char *middle_doc, const struct term *term, unsigned may, set_fn *set)
{
	struct made *made = talloc_zero(the_gate, struct made);
	char *string = talloc_strdup(the_gate, head), *doc = talloc_strdup(the_gate, head_doc);

	if (may_interfaces)
		add_words(&string, &doc, may_interfaces, name_of_interface, name_of_interface);
	add(&string, middle);
	add(&doc, middle_doc);
	if (term) {
		string = talloc_asprintf_append(string, " %s", term->name);
		doc = talloc_asprintf_append(doc, "%s\n", term->help);
	}
	add_words(&string, &doc, may, name_of_action, help_of_action);
	OSMO_ASSERT(made && string && doc); /* at start, before anything is promised */
	made->term = term;
	made->cmd = (struct cmd_element){.string = string, .doc = doc, .func = set};
	install_element(POLICY_NODE, &made->cmd);
}

static void make_special(void)
{
	struct made *made = talloc_zero(the_gate, struct made);
	char *string = talloc_strdup(the_gate, "special"),
	     *doc = talloc_strdup(the_gate, "Step 3: identities that no shipped phone has\n");

	add_words(&string, &doc, ((1u << WEIR_IMEI_N_CLASSES) - 1) & ~1u, name_of_class, name_of_class);
	add_words(&string, &doc, MAY_COLOUR | MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_REFUSE), name_of_action,
		  help_of_action);
	OSMO_ASSERT(made && string && doc);
	made->cmd = (struct cmd_element){.string = string, .doc = doc, .func = set_special};
	install_element(POLICY_NODE, &made->cmd);
}

#define IMSI_HELP "Step 4: subscribers whose IMSI begins with these digits; the longest prefix wins\n"

static void make_terms(const struct term *t)
{
	const unsigned all = (1u << WEIR_N_INTERFACES) - 1, inherit = MAY(WEIR_DO_INHERIT);

	make("default", "For every interface and peer that has no setting of its own\n", 0, "", "", t, t->may,
	     set_default);
	make("interface", "For all peers of an interface\n", all, "", "", t, t->may | inherit, set_interface);
	make("peer", "For one peer\n", all, " NAME", "Its name, or the beginning of names and '*'\n", t,
	     t->may | inherit, set_peer);
	if (t->offset == offsetof(struct weir_terms, restrictive))
		make("imsi-prefix PREFIX", IMSI_HELP "1 to 15 digits\n", 0, "", "", t, t->may | inherit, set_imsi_term);
	if (t->offset == offsetof(struct weir_terms, unknown)) {
		/* Not `unknown`: `imsi-prefix X unknown` alone is an action; one more word turned it round. */
		static struct term imsi_unknown;
		imsi_unknown = *t;
		imsi_unknown.name = "default-unknown";
		make("imsi-prefix PREFIX", IMSI_HELP "1 to 15 digits\n", 0, "", "", &imsi_unknown, t->may | inherit,
		     set_imsi_term);
	}
}

/* --- giving it back */

static void write_terms(struct vty *vty, const char *head, const struct weir_terms *of, const struct weir_terms *base)
{
	for (unsigned i = 0; i < N_TERMS; i++) {
		enum weir_action action = *(const enum weir_action *)((const char *)of + terms[i].offset);
		if (action != *(const enum weir_action *)((const char *)base + terms[i].offset))
			vty_out(vty, " %s %s %s%s", head, terms[i].name, action_name(action), VTY_NEWLINE);
	}
}

static void write_imsi(struct vty *vty, const struct weir_imsi_rule *rule)
{
	char digits[WEIR_DIGITS_TEXT];
	bool quiet = rule->restrictive == WEIR_DO_INHERIT && rule->unknown == WEIR_DO_INHERIT;

	imsi_print(digits, rule->prefix);
	if (rule->action != WEIR_DO_CONTINUE || quiet)
		vty_out(vty, " imsi-prefix %s %s%s", digits, action_name(rule->action), VTY_NEWLINE);
	if (rule->restrictive != WEIR_DO_INHERIT)
		vty_out(vty, " imsi-prefix %s restrictive %s%s", digits, action_name(rule->restrictive), VTY_NEWLINE);
	if (rule->unknown != WEIR_DO_INHERIT)
		vty_out(vty, " imsi-prefix %s default-unknown %s%s", digits, action_name(rule->unknown), VTY_NEWLINE);
}

static void write_specials(struct vty *vty, const struct weir_policy_draft *of, const struct weir_policy_draft *base)
{
	if (of->override != base->override)
		vty_out(vty, " override %s%s", action_name(of->override), VTY_NEWLINE);
	for (unsigned i = WEIR_IMEI_ORDINARY + 1; i < WEIR_IMEI_N_CLASSES; i++) {
		if (of->special[i] != base->special[i])
			vty_out(vty, " special %s %s%s", imei_class_name(i), action_name(of->special[i]), VTY_NEWLINE);
	}
}

static int print_policy(struct vty *vty, const struct policy_config *config)
{
	struct weir_policy_draft base;
	char head[32 + GATE_PATTERN_TEXT];

	policy_draft_init(&base);
	vty_out(vty, "policy%s", VTY_NEWLINE);
	write_specials(vty, &config->draft, &base);
	for (unsigned i = 0; i < config->n_imsi; i++)
		write_imsi(vty, &config->imsi[i]);
	write_terms(vty, "default", &config->draft.defaults, &base.defaults);
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++) {
		snprintf(head, sizeof(head), "interface %s", interface_name(i));
		write_terms(vty, head, &config->draft.interface[i], &base.interface[i]);
	}
	for (unsigned i = 0; i < config->n_peers; i++) {
		snprintf(head, sizeof(head), "peer %s %s", interface_name(config->peer[i].interface),
			 config->peer[i].name);
		write_terms(vty, head, &config->peer[i].terms, &base.interface[0]); /* any empty one */
	}
	return 1;
}

static int write_policy(struct vty *vty)
{
	return print_policy(vty, draft());
}

DEFUN(show_policy, show_policy_cmd, "show policy", SHOW_STR "What is in force and differs from the defaults\n")
{
	print_policy(vty, &the_gate->current->policy);
	return CMD_SUCCESS;
}

void gate_policy_vty_init(void)
{
	install_node(&policy_node, write_policy);
	install_element(CONFIG_NODE, &cfg_policy_cmd);
	make("override", "Step 1: answer every check with one colour\n", 0, "", "", NULL,
	     MAY_COLOUR | MAY(WEIR_DO_CONTINUE), set_override);
	make_special();
	make("imsi-prefix PREFIX", IMSI_HELP "1 to 15 digits\n", 0, "", "", NULL,
	     MAY_COLOUR | MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_REFUSE), set_imsi);
	install_element(POLICY_NODE, &cfg_no_imsi_cmd);
	for (unsigned i = 0; i < N_TERMS; i++)
		make_terms(&terms[i]);
	install_element_ve(&show_policy_cmd);
}
