#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Weir in a real core: Debian's osmo-stp, osmo-msc, osmo-mgw and osmo-hlr with simulated phones, every frame on record.

osmo-msc's only HLR address is weir-gate's; osmo-hlr sits behind it on 127.0.0.2.  The core needs SCTP, so the script
runs itself again inside sctp-run.  --direct leaves Weir out, which proves the rig.

Each function is one scene; scenes share the programs and come in this order.
"""
import re
import subprocess
import sys
import time

import phones
import rig
import weir

ALICE, BOB = "001010000000001", "001010000000002"
PHONE_A, PHONE_B = "001000010000015", "001000020000021"         # 15 digits; what a phone sends as the last is up to it
STP_VTY, MSC_VTY, HLR_VTY, MGW_VTY = 4239, 4254, 4258, 4243
ILLEGAL_ME = "reject:6"


def start_core(r, hlr_address):
    cfg = rig.HERE + "/cfg/"
    r.start_listening("stp", ("127.0.0.1", STP_VTY), "osmo-stp", "-c", cfg + "osmo-stp.cfg")
    r.start_listening("hlr", weir.HLR, "osmo-hlr", "-c", cfg + "osmo-hlr.cfg", "-l", r.path("hlr.db"))
    r.start_listening("mgw", ("127.0.0.1", MGW_VTY), "osmo-mgw", "-c", cfg + "osmo-mgw.cfg")
    with open(cfg + "osmo-msc.cfg") as f:
        text = f.read().replace("hlr\n remote-ip 127.0.0.1", "hlr\n remote-ip " + hlr_address)
    with open(r.path("msc.cfg"), "w") as f:
        f.write(text)
    for imsi, msisdn in ((ALICE, "1001"), (BOB, "1002")):
        rig.vty(HLR_VTY, "subscriber imsi %s create" % imsi, "subscriber imsi %s update msisdn %s" % (imsi, msisdn))


def start_msc(r):
    return r.start_listening("msc", ("127.0.0.1", MSC_VTY), "osmo-msc", "-c", r.path("msc.cfg"), cwd=r.tmp)


def check_imei(how):
    rig.vty(MSC_VTY, "configure terminal", "msc", "check-imei-rqd " + how)


def in_vlr(imsi):
    return ("IMSI: " + imsi) in rig.vty(MSC_VTY, "show subscriber cache")


def hlr_connected(r, seconds=20):
    """The MSC's GSUP client got through to the HLR (again): the HLR knows it."""
    return rig.until(lambda: re.search(r"'MSC-", rig.vty(HLR_VTY, "show gsup-connections")), seconds, 0.2)


def attach_again(phone, wanted, seconds=20):
    """While the MSC's GSUP link is coming back a location update fails by itself; a phone tries again."""
    return rig.until(lambda: phone.attach() == wanted, seconds, 0.5)


# --- scenes ---------------------------------------------------------------------------------------
def accepted(t, alice):
    t.equal(alice.attach(), "accept", "a phone is accepted")
    t.equal(alice.asked, [phones.IMEI], "having been asked for its IMEI")
    t.ok(re.search("IMEI: " + PHONE_A[:14], rig.vty(HLR_VTY, "show subscriber imsi " + ALICE)),
         "osmo-hlr has stored its IMEI")
    t.equal(alice.ussd("*#100#"), "text:Your extension is 1001", "a USSD dialogue works")


def blocked_while_attached(t, w, alice):
    """-> when weirctl returned"""
    t.ok(in_vlr(ALICE), "the phone is attached at the MSC")
    w.must("block", PHONE_A)
    returned = time.time()
    gone = rig.until(lambda: not in_vlr(ALICE), 5, 0.05)
    t.ok(gone, "blocked while attached, it is thrown off: the MSC forgets it")
    t.equal(alice.ussd("*#100#"), "service-reject:4", "its next service request is refused (IMSI unknown in VLR)")
    t.equal(alice.attach(), ILLEGAL_ME, "and its next location update with cause 6")
    return returned


def unblocked(t, w, alice):
    w.must("unblock", PHONE_A)
    t.equal(alice.attach(), "accept", "unblocked, it is accepted again")
    t.equal(alice.ussd("*#100#"), "text:Your extension is 1001", "and served")


def by_imeisv(t, w, bob):
    """With check-imei-rqd early the MSC asks for the IMEISV and checks before the location update."""
    check_imei("early")
    t.equal(bob.attach(), "accept", "a phone that shows its IMEISV is accepted")
    t.equal(bob.asked, [phones.IMEISV], "having been asked for that")
    w.must("block", PHONE_B)
    rig.until(lambda: not in_vlr(BOB), 5, 0.05)
    t.equal(bob.attach(), ILLEGAL_ME, "blocked by IMEI and presenting its IMEISV, it is refused")
    t.equal(bob.asked, [phones.IMEISV], "having been asked for its IMEISV only")
    w.must("unblock", PHONE_B)
    check_imei("1")


def keeper_killed(t, w, alice, bob):
    w.must("block", PHONE_B)
    w.keeper.kill()
    t.equal(alice.attach(), "accept", "the keeper killed, a phone is still accepted")
    t.equal(bob.attach(), ILLEGAL_ME, "and a blocked one refused")
    w.start_keeper()


def gate_killed(t, r, w, alice, bob):
    w.gate.kill()
    rig.until(lambda: not re.search(r"'MSC-", rig.vty(HLR_VTY, "show gsup-connections")), 5, 0.1)
    before = time.time()
    w.start_gate()
    t.ok(hlr_connected(r), "the gate killed and restarted, the MSC connects again")
    t.note("after %.1f s" % (time.time() - before))
    t.ok(attach_again(alice, "accept"), "and its phones are accepted")
    t.equal(bob.attach(), ILLEGAL_ME, "or refused")
    t.equal(alice.ussd("*#100#"), "text:Your extension is 1001", "or served")


def counters_close(t):
    values = weir.check_counters()
    parts = sum(v for k, v in values.items() if k != "received")
    t.ok(values.get("received", 0) > 0 and values["received"] == parts, "received is the sum of its parts", values)


def dissected(t, capture, returned):
    """tshark has no complaint about any frame, and has seen what must have been there."""
    complaints = tshark(capture, "-Y", "(gsm_ipa || gsup) && (_ws.malformed || _ws.expert)", "-T", "fields", "-e",
                        "frame.number", "-e", "_ws.expert.message")
    t.equal(complaints, [], "tshark dissects every GSUP and IPA frame without a complaint")
    kinds = tshark(capture, "-Y", "gsup", "-T", "fields", "-e", "gsup.msg_type", "-e", "ip.src")
    seen = {int(k, 0) for line in kinds for k in line.split()[0].split(",")}
    t.ok({0x04, 0x06, 0x1C, 0x1E, 0x30, 0x32} <= seen, "among them updates, checks, results and cancels", sorted(seen))


    ours = "gsup.msg_type == 0x1c && ip.src == 127.0.0.1 && tcp.srcport == 4222"
    sent = tshark(capture, "-Y", ours, "-T", "fields", "-e", "frame.time_epoch")
    if t.ok(sent, "the cancel of the blocked phone is on record"):
        late = 1e3 * (float(sent[0]) - returned)
        t.note("the cancel left %.1f ms %s weirctl returned" % (abs(late), "after" if late > 0 else "before"))


def tshark(capture, *arguments):
    done = subprocess.run(["tshark", "-n", "-r", capture] + list(arguments), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=60, check=True)
    return done.stdout.decode().splitlines()


# --- the whole ------------------------------------------------------------------------------------
def body(r):
    t = r.tap
    capture = r.path("gsup.pcap")
    start_core(r, "127.0.0.1")
    w = weir.Weir(r)
    recorder = r.start("dumpcap", "dumpcap", "-q", "-i", "lo", "-f", "tcp port 4222", "-w", capture)
    recorder.said("File:", 10)
    w.start()
    start_msc(r)
    bsc = phones.Bsc()
    t.ok(bsc.reset() and hlr_connected(r), "osmo-msc is up, with a BSC on one side and Weir on the other")
    alice, bob = phones.Phone(bsc, ALICE, PHONE_A), phones.Phone(bsc, BOB, PHONE_B, PHONE_B[:14] + "42")
    accepted(t, alice)
    returned = blocked_while_attached(t, w, alice)
    unblocked(t, w, alice)
    by_imeisv(t, w, bob)
    keeper_killed(t, w, alice, bob)
    gate_killed(t, r, w, alice, bob)
    counters_close(t)
    t.equal(w.gate.end(), 0, "the gate ends in order")
    t.equal(w.keeper.end(), 0, "and so does the keeper")
    time.sleep(0.5)
    recorder.end()
    dissected(t, capture, returned)


def body_direct(r):
    t = r.tap
    start_core(r, weir.HLR[0])
    start_msc(r)
    bsc = phones.Bsc()
    t.ok(bsc.reset() and hlr_connected(r), "osmo-msc is up, with a BSC on one side and osmo-hlr on the other")
    accepted(t, phones.Phone(bsc, ALICE, PHONE_A))


if __name__ == "__main__":
    direct = sys.argv[1:] == ["--direct"]
    rig.with_sctp(lambda: rig.need("osmo-stp", "osmo-hlr", "osmo-msc", "osmo-mgw", "dumpcap", "tshark"))
    rig.Rig("osmo-direct" if direct else "osmo").run(body_direct if direct else body, 200)
