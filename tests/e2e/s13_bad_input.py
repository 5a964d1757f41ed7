#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What a hostile or broken Diameter peer may send to weir-gate, while a good one keeps getting right answers.

Each function is one scene; after each, the good client must have had nothing but right answers, in time.  Result codes
are those of RFC 6733 clause 7.1.
"""
import itertools
import socket
import struct
import threading
import time

import bad
import diameter as d
import freediameter as fd
import rig
import s13gate as s

ADDRESS = (fd.GATE, fd.PORT)
GREATEST = 16384                                               # octets of a message that the gate takes
names = ("bad%d.%s" % (n, fd.REALM) for n in itertools.count())


def raw(seconds=5):
    return d.Peer(socket.create_connection(ADDRESS, seconds))


def mme(name=None, **more):
    return d.Mme(ADDRESS, name or next(names), **more)


def good_client():
    """Asks for a listed and a free device in turn."""
    peer = mme("good." + fd.REALM)

    def ask():
        for imei, wanted in ((s.BLACK, "black"), (s.FREE, "unknown")):
            try:
                found = peer.check(imei, seconds=bad.PATIENCE)
            except (d.Closed, d.Malformed) as e:
                found = "%s: %s" % (type(e).__name__, e)
            yield found, wanted
    return bad.GoodClient(ask)


def cer(name, **more):
    return d.message(d.CE, d.BASE, d.R, d.cer_avps(name, fd.REALM, **more), 1, 1)


def dwr(name):
    return d.message(d.DW, d.BASE, d.R, d.origin(name, fd.REALM), 2, 2)


def dpr(name):
    return d.message(d.DP, d.BASE, d.R, d.origin(name, fd.REALM) + [d.avp(d.DISCONNECT_CAUSE, 0)], 3, 3)


def ecr(peer, imei=s.BLACK):
    return d.message(d.ECR, d.S13, d.R | d.P, peer.ecr_avps(imei, "42", s.IMSI), 4, 4)


def described(answer):
    """What an answer says in short: its code, whether the E bit is set, the codes of what Failed-AVP holds."""
    if answer is None:
        return "silence"
    return (answer.result, bool(answer.flags & d.E), [a.code for a in answer.failed()])


def asked(peer, avps, flags=d.R | d.P, code=d.ECR, application=d.S13):
    """The same of the answer to this request; "closed" where there was none."""
    try:
        return described(peer.ask(code, application, avps, flags))
    except d.Closed:
        return "closed"


# --- framing --------------------------------------------------------------------------------------
def truncations(t, w):
    """Every proper prefix of every message, then the end of the connection: the gate closes its side and goes on."""
    for kind in ("CER", "ECR", "DWR", "DPR"):
        name = next(names)
        probe = mme(name)
        octets = {"CER": cer(name), "ECR": ecr(probe), "DWR": dwr(name), "DPR": dpr(name)}[kind]
        probe.close()
        stuck = 0
        for cut in range(len(octets)):
            peer = raw() if kind == "CER" else mme()
            peer.send(octets[:cut])
            peer.s.shutdown(socket.SHUT_WR)
            stuck += not d.Peer.closed(peer, 2)
            peer.close()
        t.equal(stuck, 0, "every truncated %s ends its connection" % kind)


def flips(t, w):
    """Every bit of every message: whatever comes of it, the connection is closed or serves rightly afterwards."""
    for kind in ("CER", "ECR", "DWR"):
        wrong, bit, served = [], 0, 0
        while True:
            name = next(names)
            peer = raw() if kind == "CER" else mme(name)
            octets = bytearray({"CER": cer(name), "DWR": dwr(name)}.get(kind) or ecr(peer))
            if bit == 8 * len(octets):
                break
            octets[bit // 8] ^= 0x80 >> bit % 8
            found = after(peer, bytes(octets), name, 0.1 if bit < 32 else bad.PATIENCE)
            served += found == "black"
            if found not in ("black", "closed") and not (bit < 32 and found == "silence"):
                wrong.append((bit, found))
            peer.close()
            bit += 1
        peer.close()
        t.equal(wrong, [], "after any one flipped bit in a %s the connection is closed or answers rightly" % kind)
        t.ok(served > bit // 4, "and mostly it stands", "%d of %d" % (served, bit))


def after(peer, octets, name, patience):
    """Send it, then ask for the listed device: that one's answer.  Where the length is flipped the gate may wait."""
    try:
        peer.send(octets)
        avps = d.Mme.ecr_avps(peer, s.BLACK) if isinstance(peer, d.Mme) else None
        if avps is None:
            cea = peer.next(patience)                          # a CEA: is it one of success?
            if cea is None:
                return "silence"
            if cea.result != 2001:
                return "closed" if peer.closed(bad.PATIENCE) else "stands after %d" % cea.result
            host = octets[28:28 + len(name)]                   # as the flipped CER has it
            avps = ([d.avp(d.SESSION_ID, name + ";1;1"), d.vendor_application(), d.avp(d.AUTH_SESSION_STATE, 1),
                     d.avp(d.ORIGIN_HOST, host), d.avp(d.ORIGIN_REALM, fd.REALM),
                     d.avp(d.DESTINATION_REALM, fd.REALM), d.terminal(s.BLACK)])
        peer.send(d.message(d.ECR, d.S13, d.R | d.P, avps, 0xABCDEF, 0))
        while True:
            m = peer.next(patience)
            if m is None:
                return "silence"
            if m.hop == 0xABCDEF:
                return m.verdict
    except d.Closed:
        return "closed"


def header_lengths(t, w):
    """A header's length is believed for what it says, and then nothing behind it can be."""
    for length in (0, 19, 21, 24 + 1, GREATEST + 4, 0xFFFFFC):
        peer = mme()
        peer.send(d.message(d.ECR, d.S13, d.R | d.P, peer.ecr_avps(s.BLACK), 7, 7, length=length))
        answer = peer.wait(lambda m: m.hop == 7, 3)
        t.equal(described(answer), (5015, False, []), "a message of %d octets: 5015" % length)
        t.ok(peer.closed(), "and its connection is closed")
        peer.close()
    for length in (0, 19, 21, 0xFFFFFC):
        peer = raw()
        peer.send(d.message(d.CE, d.BASE, d.R, d.cer_avps(next(names), fd.REALM), 7, 7, length=length))
        t.ok(peer.closed(), "a CER of %d octets is closed" % length)
        t.ok(all(m.result == 5015 for m in peer.seen), "with 5015, if anything", peer.seen)
        peer.close()
    peer = mme()
    whole = d.message(d.ECR, d.S13, d.R | d.P,
                      peer.ecr_avps(s.BLACK) + [d.avp(900, b"x" * (GREATEST - 1000), flags=0)], 9, 9)
    peer.send(whole)
    t.equal(peer.wait(lambda m: m.hop == 9).verdict, "black", "one of %d octets is answered" % len(whole))
    peer.close()


def avp_lengths(t, w):
    peer = mme()
    good = peer.ecr_avps(s.BLACK)
    for length in (0, 7, 200, 0xFFFFFF):
        bad = d.avp(d.USER_NAME, s.IMSI, length=length)
        t.equal(asked(peer, good + [bad])[:2], (5014, False), "an AVP of %d octets at the end: 5014" % length)
        t.equal(asked(peer, good[:-1] + [bad] + good[-1:])[:2], (5014, False), "and in the middle") \
            if length < 8 else None
        nested = d.avp(d.TERMINAL_INFORMATION, [d.avp(d.IMEI, s.BLACK, length=length)])
        t.equal(asked(peer, good[:-1] + [nested])[:2], (5014, False), "and inside a group")
    for name, bad in (("a vendor flag in 8 octets", struct.pack("!II", 900, 0x80000008)),
                      ("half a header", b"\0\0\3\x84"),
                      ("a number of 3 octets", d.avp(d.AUTH_SESSION_STATE, b"\0\0\1")),
                      ("a number of 8 octets", d.avp(d.AUTH_SESSION_STATE, bytes(8)))):
        t.equal(asked(peer, good[:2] + good[3:] + [bad])[:2], (5014, False), name + ": 5014")
    t.equal(peer.check(s.BLACK), "black", "and the connection stands")
    peer.close()


# --- what the rules say ---------------------------------------------------------------------------
def missing(t, w):
    """Every required AVP in turn: 5005, and Failed-AVP holds an example of it."""
    peer = mme()
    good = peer.ecr_avps(s.BLACK)
    for at, code in ((0, d.SESSION_ID), (2, d.AUTH_SESSION_STATE), (3, d.ORIGIN_HOST), (4, d.ORIGIN_REALM),
                     (5, d.DESTINATION_REALM), (6, d.TERMINAL_INFORMATION)):
        t.equal(asked(peer, good[:at] + good[at + 1:]), (5005, False, [code]), "without AVP %d: 5005" % code)
    answer = peer.ask(d.ECR, d.S13, good[:-1] + [d.terminal(None, "42")])
    t.equal(described(answer)[:2], (5005, False), "without an IMEI: 5005")
    t.ok([a.avps[0].code for a in answer.failed()] in ([d.IMEI], []) or
         [a.code for a in answer.failed()] == [d.IMEI], "naming the IMEI", answer.failed())
    t.equal(asked(peer, good[:1] + good[2:])[0], 2001, "without Vendor-Specific-Application-Id: fine")
    t.equal(peer.check(s.BLACK), "black", "and the connection stands")
    peer.close()


def repeated(t, w):
    peer = mme()
    good = peer.ecr_avps(s.BLACK, imsi=s.IMSI)
    for at, code in ((0, d.SESSION_ID), (3, d.ORIGIN_HOST), (5, d.DESTINATION_REALM), (6, d.TERMINAL_INFORMATION),
                     (7, d.USER_NAME)):
        t.equal(asked(peer, good + good[at:at + 1]), (5009, False, [code]), "AVP %d twice: 5009" % code)
    t.equal(asked(peer, good + good[3:4] * 63), (5009, False, [d.ORIGIN_HOST]), "64 Origin-Hosts: 5009")
    twice = d.avp(d.TERMINAL_INFORMATION, [d.avp(d.IMEI, s.FREE), d.avp(d.IMEI, s.BLACK)])
    t.equal(asked(peer, good[:6] + [twice])[:2], (5009, False), "two IMEIs: 5009")
    t.equal(asked(peer, good[:6] + [d.terminal(s.BLACK + "42", "43")])[:2], (5004, False),
            "two software versions that differ: 5004")
    t.equal(peer.check(s.BLACK), "black", "and the connection stands")
    peer.close()
    for n in (2, 64):
        peer = raw()
        host = next(names)
        peer.send(d.message(d.CE, d.BASE, d.R, d.cer_avps(host, fd.REALM) + [d.avp(d.ORIGIN_HOST, host)] * (n - 1)))
        t.equal(described(peer.next(3))[0], 5009, "%d Origin-Hosts in a CER: 5009" % n)
        t.ok(peer.closed(), "and closed")


def values(t, w):
    peer = mme()
    good = peer.ecr_avps(s.BLACK)
    t.equal(asked(peer, good + [d.avp(d.USER_NAME, b"\xff\xfe001")]), (5004, False, [d.USER_NAME]),
            "a User-Name that is no UTF-8: 5004")
    t.equal(asked(peer, good[:2] + [d.avp(d.AUTH_SESSION_STATE, 7)] + good[3:]), (5004, False, [d.AUTH_SESSION_STATE]),
            "an Auth-Session-State that there is not: 5004")
    for imei in ("", "1", s.BLACK[:13], s.BLACK + "123", "0010000100000A", "00-100001-000001"):
        answer = peer.ask(d.ECR, d.S13, good[:6] + [d.terminal(imei)])
        t.equal(described(answer)[:2], (5004, False), "an IMEI of '%s': 5004" % imei)
        t.ok(answer.failed(), "with a Failed-AVP", answer)
    unknown = d.avp(7777, b"?" * 5)
    answer = peer.ask(d.ECR, d.S13, good + [unknown])
    t.equal(described(answer), (5001, False, [7777]), "an unknown AVP that must be understood: 5001")
    t.equal([a.octets for a in answer.failed()], [unknown], "Failed-AVP holds it as it came")
    t.equal(asked(peer, good + [d.avp(7777, b"?" * 5, flags=0)])[0], 2001, "one that need not: fine")
    t.equal(asked(peer, good + [d.avp(7777, b"?", flags=d.V | d.M, vendor=99999)])[0], 5001, "a vendor's: 5001")
    t.equal(asked(peer, good[:3] + [d.avp(d.ORIGIN_HOST, peer.host, flags=0)] + good[4:])[:2], (3009, True),
            "an Origin-Host without its M bit: 3009 with the E bit")
    t.equal(peer.check(s.BLACK), "black", "and the connection stands")
    peer.close()


def headers(t, w):
    peer = mme()
    good = peer.ecr_avps(s.BLACK)
    session = [d.avp(d.SESSION_ID, "x;1;1")]
    for name, flags, code, application, wanted in (
            ("an ECR without the P bit", d.R, d.ECR, d.S13, (3008, True, [])),
            ("a request with the E bit", d.R | d.P | d.E, d.ECR, d.S13, (3008, True, [])),
            ("an unknown command", d.R | d.P, 99999, d.S13, (3001, True, [])),
            ("an unknown command of the base", d.R, 99999, d.BASE, (3001, True, [])),
            ("another application", d.R | d.P, 316, d.S6A, (3007, True, [])),
            ("an ECR of another application", d.R | d.P, d.ECR, d.S6A, (3007, True, []))):
        t.equal(asked(peer, good, flags, code, application), wanted, "%s: %d" % (name, wanted[0]))
    answer = peer.ask(99999, d.S13, session + d.origin(peer.host, peer.realm))
    t.equal(answer.text(d.SESSION_ID), "x;1;1", "an error answer gives the Session-Id back")
    t.equal(asked(peer, good, d.R | d.P | d.T)[0], 2001, "a request sent again (T): answered")
    answer = peer.ask(d.ECR, d.S13, good, d.R | d.P | 0x0F)
    t.equal([described(answer)[0], answer.flags], [2001, d.P], "reserved bits: ignored, and not sent back")
    hop = peer.send_request(d.ECR, d.S13, good)
    first = peer.wait(lambda m: m.hop == hop)
    t.equal([first.flags, first.end], [d.P, hop ^ 0x5A5A5A5A], "P, hop-by-hop and end-to-end are copied")
    t.equal(first.avps[0].code, d.SESSION_ID, "Session-Id comes first")
    peer.send(d.message(d.ECR, d.S13, d.P, good, 1, 1))
    t.equal(peer.check(s.BLACK), "black", "an answer to what was not asked is passed over")
    peer.send(d.message(d.ECR, d.S13, d.R | d.P, good, 5, 5, version=2))
    t.equal(described(peer.wait(lambda m: m.hop == 5, 3))[0], 5011, "another version: 5011")
    peer.close()


def routing(t, w):
    peer = mme()
    good = peer.ecr_avps(s.BLACK)
    for name, more, wanted in (
            ("Destination-Host is us", [d.avp(d.DESTINATION_HOST, fd.EIR)], (2001, False)),
            ("in other case", [d.avp(d.DESTINATION_HOST, fd.EIR.upper())], (2001, False)),
            ("Destination-Host is another", [d.avp(d.DESTINATION_HOST, "hss." + fd.REALM)], (3002, True)),
            ("our own Route-Record", [d.avp(d.ROUTE_RECORD, "dra1.weir.test"), d.avp(d.ROUTE_RECORD, fd.EIR)],
             (3005, True)),
            ("others' Route-Records", [d.avp(d.ROUTE_RECORD, "d%d.weir.test" % i) for i in range(20)], (2001, False))):
        t.equal(asked(peer, good + more)[:2], wanted, "%s: %d" % (name, wanted[0]))
    t.equal(asked(peer, peer.ecr_avps(s.BLACK, realm="elsewhere.test"))[:2], (3003, True), "another realm: 3003")
    proxies = [d.avp(d.PROXY_INFO, [d.avp(d.PROXY_HOST, "dra%d.weir.test" % i), d.avp(d.PROXY_STATE, bytes([i]) * i)])
               for i in range(20)]
    for name, avps, wanted in (("a success", good, 2001), ("a refusal", good[:5] + good[6:], 5005)):
        answer = peer.ask(d.ECR, d.S13, avps[:3] + proxies[:7] + avps[3:] + proxies[7:])
        t.equal(answer.result, wanted, "twenty Proxy-Infos in %s" % name)
        t.equal([a.octets for a in answer.all(d.PROXY_INFO)], proxies, "come back untouched, in order")
    answer = peer.ask(99999, d.S13, good[:1] + proxies)
    t.equal([a.octets for a in answer.all(d.PROXY_INFO)], proxies, "and in a protocol error")
    peer.close()


def lent(t, w):
    """An identity is its own peer's; only an agent speaks for others."""
    peer = mme()
    other = d.avp(d.ORIGIN_HOST, "other." + fd.REALM)
    good = peer.ecr_avps(s.BLACK)
    t.equal(asked(peer, good[:3] + [other] + good[4:])[:2], (5003, False), "another's Origin-Host in an ECR: 5003")
    t.equal(asked(peer, good[:3] + [d.avp(d.ORIGIN_HOST, peer.host.upper())] + good[4:])[0], 2001,
            "its own in capitals: fine")
    peer.close()
    agent = mme("agent." + fd.REALM)
    found = [agent.ask(d.ECR, d.S13, good[:3] + [d.avp(d.ORIGIN_HOST, "far%d.%s" % (n, fd.REALM))] + good[4:])
             for n in range(20)]
    t.equal({m and m.verdict for m in found}, {"black"}, "an agent asks for twenty others")
    found = [agent.ask(d.ECR, d.S13, good[:3] + [d.avp(d.ORIGIN_HOST, "flood%d.%s" % (n, fd.REALM))] + good[4:])
             for n in range(2000)]
    found = {verdict: sum(m.verdict == verdict for m in found) for verdict in {m and m.verdict for m in found}}
    t.ok(set(found) <= {"black", "3004"} and found.get("3004"),
         "two thousand new names at once: the most are told 3004", found)
    agent.close()


def nested(t, w):
    """Groups in groups, as deep as a message may be and deeper."""
    def deep(code, levels):
        octets = b""
        for _ in range(levels):
            octets = struct.pack("!II", code, d.M << 24 | 8 + len(octets)) + octets
        return octets

    peer = mme()
    good = peer.ecr_avps(s.BLACK)
    group = deep(d.PROXY_INFO, 1900)
    answer = peer.ask(d.ECR, d.S13, good + [group])
    t.equal(described(answer), (2001, False, []), "1,900 levels of Proxy-Info: answered")
    t.ok([a.octets for a in answer.all(d.PROXY_INFO)] == [group], "and given back untouched")
    group = deep(d.FAILED_AVP, 1900)
    answer = peer.ask(d.ECR, d.S13, good + [group])
    t.equal(described(answer), (5001, False, [d.FAILED_AVP]), "of Failed-AVP, which no ECR has: 5001")
    t.ok([a.octets for a in answer.failed()] == [group], "with Failed-AVP around it")
    t.equal(peer.check(s.BLACK), "black", "and the connection stands")
    peer.send(d.message(d.ECR, d.S13, d.R | d.P, good + [deep(d.PROXY_INFO, 4000)], 8, 8))
    t.equal(described(peer.wait(lambda m: m.hop == 8, 3)), (5015, False, []), "4,000 levels: too long a message, 5015")
    t.ok(peer.closed(), "and closed")


# --- the base protocol ----------------------------------------------------------------------------
def capabilities(t, w):
    def cea(*changes, name=None, **more):
        """The result of a CER in which AVPs of these codes are replaced."""
        peer = raw()
        host = name or next(names)
        avps = d.cer_avps(host, fd.REALM, **more)
        for change in changes:
            code = struct.unpack("!I", change[:4])[0]
            avps = [a for a in avps if struct.unpack("!I", a[:4])[0] != code] + [change]
        peer.send(d.message(d.CE, d.BASE, d.R, avps, 1, 1))
        try:
            m = peer.next(3)
        except d.Closed:
            return "closed"
        closed = m is not None and peer.closed(0.2 if m.result == 2001 else bad.PATIENCE)
        peer.close()
        return "silence" if m is None else (m.result, "closed" if closed else "stands")

    taken, refused = "stands", "closed"
    for name, found, wanted in (
            ("S13 as an Auth-Application-Id", cea(applications=[d.avp(d.AUTH_APPLICATION_ID, d.S13)]), (2001, taken)),
            ("a relay", cea(applications=[d.avp(d.AUTH_APPLICATION_ID, d.RELAY)]), (2001, taken)),
            ("S6a and S13", cea(applications=[d.vendor_application(d.S6A), d.vendor_application()]), (2001, taken)),
            ("S6a only", cea(applications=[d.vendor_application(d.S6A)]), (5010, refused)),
            ("no application", cea(applications=[]), (5010, refused)),
            ("a name that may not connect", cea(name="mme.elsewhere.test"), (3010, refused)),
            ("a realm that may not", cea(d.avp(d.ORIGIN_REALM, "elsewhere.test")), (3010, refused)),
            ("TLS offered inside", cea(d.avp(d.INBAND_SECURITY, 1)), (5017, refused)),
            ("no security inside", cea(d.avp(d.INBAND_SECURITY, 0)), (2001, taken)),
            ("an address of family 9", cea(d.avp(d.HOST_IP_ADDRESS, b"\0\x09" + bytes(4))), (5004, refused)),
            ("an IPv4 address of 16 octets", cea(d.avp(d.HOST_IP_ADDRESS, b"\0\1" + bytes(16))), (5014, refused)),
            ("an IPv6 address of 4 octets", cea(d.avp(d.HOST_IP_ADDRESS, b"\0\2" + bytes(4))), (5014, refused)),
            ("an address of 1 octet", cea(d.avp(d.HOST_IP_ADDRESS, b"\1")), (5014, refused)),
            ("an empty Origin-Host", cea(d.avp(d.ORIGIN_HOST, "")), (5004, refused)),
            ("an Origin-Host of 300 octets", cea(d.avp(d.ORIGIN_HOST, "a" * 290 + "." + fd.REALM)), (5004, refused)),
            ("NUL in an Origin-Host", cea(d.avp(d.ORIGIN_HOST, b"bad\0." + fd.REALM.encode())), (5004, refused))):
        t.equal(found, wanted, "a CER with %s: %s" % (name, wanted[0]))
    for name, first in (("an ECR", lambda p: d.message(d.ECR, d.S13, d.R | d.P, d.Mme.ecr_avps(p, s.BLACK))),
                        ("a DWR", lambda p: dwr("x." + fd.REALM)), ("a DPR", lambda p: dpr("x." + fd.REALM)),
                        ("a CEA", lambda p: d.message(d.CE, d.BASE, 0, d.cer_avps("x." + fd.REALM, fd.REALM)))):
        peer = mme(greet=False)
        peer.send(first(peer))
        t.ok(d.Peer.closed(peer, 3) and not peer.seen, "%s before the CER is closed without an answer" % name)
    peer = mme()
    t.equal(asked(peer, d.origin(peer.host, peer.realm), d.R, d.DW, d.BASE), (2001, False, []), "a DWR is answered")
    t.equal(asked(peer, [], d.R, d.DW, d.BASE), (5005, False, [d.ORIGIN_HOST]), "one without an origin: 5005")
    peer.send(dpr(peer.host))
    dpa = peer.wait(lambda m: m.code == d.DP and not m.is_request, 3)
    t.equal(dpa and dpa.result, 2001, "a DPR is answered")
    peer.close()


# --- behaviour in time ----------------------------------------------------------------------------
def trickled(t, w):
    peer = mme(greet=False)
    for octet in cer(peer.host):
        peer.send(bytes([octet]))
        time.sleep(0.001)
    cea = peer.wait(lambda m: m.code == d.CE, 5)
    t.equal(cea and cea.result, 2001, "a CER that comes octet by octet is answered")
    for octet in ecr(peer):
        peer.send(bytes([octet]))
        time.sleep(0.001)
    t.equal(peer.wait(lambda m: m.hop == 4).verdict, "black", "and so is an ECR")
    peer.close()


def many_at_once(t, w):
    peer = mme()
    hops = set()
    octets = b""
    for n in range(1000):
        octets += d.message(d.ECR, d.S13, d.R | d.P, peer.ecr_avps(s.BLACK if n % 2 else s.FREE), n, n)
        hops.add(n)
    threading.Thread(target=peer.send, args=(octets,), daemon=True).start()
    wrong = 0
    for n in range(1000):
        m = peer.wait(lambda _: True, 10)
        if m is None:
            break
        wrong += m.hop != n or m.verdict != ("black" if n % 2 else "unknown")
        hops.discard(m.hop)
    t.equal((wrong, hops), (0, set()), "a thousand ECRs in one write get as many right answers, in order")
    peer.close()


def silent(t, w):
    """300 connections that say nothing, and some that never finish a CER: all are closed, nobody is kept out."""
    waiting = [raw() for _ in range(300)]
    half = cer("half." + fd.REALM)
    for peer in waiting[::3]:
        try:
            peer.send(half[:len(half) // 2])
        except d.Closed:
            pass                                               # it has given way to a newer one already
    fresh = mme()
    t.equal(fresh.check(s.BLACK), "black", "with 300 silent connections a new peer is served")
    stop = time.monotonic() + 30
    left = [p for p in waiting if not p.closed(max(0.01, stop - time.monotonic()))]
    t.equal(len(left), 0, "and all 300 are closed within half a minute")
    t.equal(fresh.check(s.BLACK), "black", "and the new peer stays")
    for peer in waiting + [fresh]:
        peer.close()


def never_reads(t, w):
    """Asks and asks and never reads: the gate stops reading it, keeps little of it, and closes it."""
    memory = bad.Memory(w)
    greedy = [mme("deaf%d.%s" % (i, fd.REALM)) for i in range(4)]
    octets = [ecr(peer, s.FREE) * 100 for peer in greedy]
    bad.never_read(t, memory, [peer.s for peer in greedy], lambda i: octets[i])
    t.equal(sum(name.startswith("deaf") for name in s.connections()), 4, "the gate shows them")
    closed = rig.until(lambda: not any(n.startswith("deaf") for n in s.connections()), 25, 0.5)
    t.ok(closed, "and are closed within half a minute")
    for peer in greedy:
        peer.close()


def shed(t, w):
    """A peer with a limit: what is above is refused in words, at once."""
    peer = mme("slow." + fd.REALM)
    found = [peer.check(s.BLACK) for _ in range(300)]
    t.ok(found.count("black") >= 1 and found.count("3004") >= 200 and set(found) == {"black", "3004"},
         "above its limit a peer is told 3004", {v: found.count(v) for v in set(found)})
    answer = peer.ask(d.ECR, d.S13, peer.ecr_avps(s.BLACK))
    t.equal(described(answer)[:2], (3004, True), "with the E bit")
    time.sleep(1)
    t.equal(peer.check(s.BLACK), "black", "and a second later it is served again")
    peer.close()


def foreign(t, w):
    """A client of another realm that tries one device after the other learns little, and is counted."""
    def counters():
        return [w.vty_counter("foreign"), w.vty_counter("foreign_shed")]

    before = counters()
    peer = mme("foreign.elsewhere.test", realm="elsewhere.test")
    found = []
    for n in range(200):
        m = peer.ask(d.ECR, d.S13, peer.ecr_avps("0010000100%04d" % n, realm=fd.REALM))
        found.append(m.verdict if m else "silence")
    t.ok(found[0] == "black" or found[0] == "unknown", "a client of another realm is answered", found[:3])
    t.ok(found.count("3004") > 150, "but not when it tries one device after the other: 3004",
         {v: found.count(v) for v in set(found)})
    t.equal([now - then for now, then in zip(counters(), before)], [200, found.count("3004")],
            "and all of it is counted")
    peer.close()


SCENES = (truncations, flips, header_lengths, avp_lengths, missing, repeated, values, headers, routing, lent,
          nested, capabilities, trickled, many_at_once, shed, foreign, silent, never_reads)


def body(r):
    t = r.tap
    fd.add_addresses()
    w = s.Weir(r, more=("rate slow.* limit 10", "agent agent." + fd.REALM, "foreign limit 5"),
               peers=["%s realm %s address 10.0.0.0/8" % (name, fd.REALM)
                      for name in ("bad*", "good.*", "slow.*", "deaf*", "agent.*")] +
               ["foreign.* realm elsewhere.test address 10.0.0.0/8"])
    w.start()
    s.gate_listens()
    memory = bad.Memory(w)
    bad.scenes(t, w, good_client(), *SCENES)
    if not rig.is_sanitized("weir-gate"):                      # AddressSanitizer keeps what is freed for a while
        memory.stays_below(t, 32, "all of it together left nothing behind")
    found = bad.counted(t, "s13")
    t.ok(found.get("malformed", 0) > 0 and found.get("shed", 0) > 0, "malformed and shed ones were counted", found)
    bad.end(t, w)


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("s13_bad_input").run(body, 300)
