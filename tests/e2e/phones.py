# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""A base station controller with any number of phones behind it, for a real MSC.

BSSAP (TS 48.008) over SCCP over M3UA: just the signalling that a location update with an equipment check (TS 24.008
4.4.1, 4.3.3) and a USSD dialogue (TS 24.090) need.  Authentication and ciphering must be off in the MSC.  Nothing here
knows that Weir exists.
"""
import time

import ss7

BSSAP_SSN = 254
MSC_PC, BSC_PC = 185, 187                                      # 0.23.1 and 0.23.3
LAI = bytes.fromhex("00f1100001")                              # 001-01, area 1
CLASSMARK2 = bytes.fromhex("531981")
IMSI, IMEI, IMEISV, TMSI = 1, 2, 3, 4                          # types of identity (10.5.1.4)
MM, SS = 5, 11                                                 # protocol discriminators


def lv(octets):
    return bytes([len(octets)]) + octets


def mobile_identity(digits, kind):
    odd = len(digits) % 2
    d = digits if odd else digits + "f"
    first = int(d[0], 16) << 4 | (8 if odd else 0) | kind
    return bytes([first]) + bytes(int(d[i + 1] + d[i], 16) for i in range(1, len(d), 2))


def pack_7bit(text):
    text += "\r" if len(text) % 8 == 7 else ""
    bits = sum((ord(c) & 127) << (7 * i) for i, c in enumerate(text))
    return bits.to_bytes((len(text) * 7 + 7) // 8, "little")


def unpack_7bit(octets):
    bits = int.from_bytes(octets, "little")
    return "".join(chr((bits >> (7 * i)) & 127) for i in range(len(octets) * 8 // 7)).rstrip("\r\0")


class Connection:
    """One SCCP connection: one radio connection of one phone."""

    def __init__(self, bsc, phone, l3):
        self.bsc, self.phone, self.peer, self.sent = bsc, phone, None, 0
        self.ref = bsc.new_reference(self)
        complete_l3 = b"\x57\x05" + lv(b"\0" + LAI + b"\0\x01") + b"\x17" + lv(l3)
        options = b"\x04" + lv(bsc.here) + b"\x0f" + lv(b"\0" + lv(complete_l3)) + b"\0"
        bsc.send(b"\x01" + self.ref.to_bytes(3, "little") + b"\x02" + bytes([2, 2 + len(bsc.there)]) + lv(bsc.there) +
                 options, self.ref)

    def data(self, octets):
        self.bsc.send(b"\x06" + self.peer + b"\0\x01" + lv(octets), self.ref)

    def bssmap(self, octets):
        self.data(b"\0" + lv(octets))

    def dtap(self, l3):
        """To the MSC, with the sequence number of TS 24.007 11.2.3.2 (modulo 4)."""
        self.sent = (self.sent + 1) % 4
        self.data(b"\x01\0" + lv(l3[:1] + bytes([l3[1] & 0x3F | self.sent << 6]) + l3[2:]))


class Phone:
    def __init__(self, bsc, imsi, imei, imeisv=None):
        self.bsc, self.imsi, self.imei, self.imeisv = bsc, imsi, imei, imeisv or imei[:14] + "01"
        self.tmsi = self.connection = self.outcome = self.dialling = None
        self.asked, self.texts, self.ended = [], [], False

    # --- what a person does with it; each returns within the BSC's patience
    def attach(self):
        """Location update.  "accept", "reject:CAUSE" or "nothing"."""
        self.outcome, self.asked = None, []
        self.idle()
        update = b"\x05\x08\x70" + LAI + b"\x53" + lv(mobile_identity(self.imsi, IMSI))
        self.connection = Connection(self.bsc, self, update)
        self.bsc.until(lambda: self.outcome and self.connection is None)
        return self.outcome or "nothing"

    def ussd(self, code):
        """Dial a code.  "text:ANSWER", "service-reject:CAUSE", "error:CODE" or "nothing"."""
        self.texts, self.ended, self.dialling = [], False, code
        self.idle()
        identity = b"\xf4" + self.tmsi if self.tmsi else mobile_identity(self.imsi, IMSI)
        self.connection = Connection(self.bsc, self, b"\x05\x24\x78" + lv(CLASSMARK2) + lv(identity))
        self.bsc.until(lambda: self.ended)
        self.idle()
        return " ".join(self.texts) or "nothing"

    def idle(self):
        self.bsc.until(lambda: self.connection is None, 3)

    # --- what the network tells it
    def refused(self):
        self.outcome, self.ended = self.outcome or "refused", True
        self.texts.append("refused")

    def layer3(self, connection, octets):
        discriminator, kind = octets[0] & 15, octets[1] & 0x3F
        if discriminator == MM:
            self.mobility(connection, kind, octets)
        elif discriminator == SS:
            self.supplementary(connection, kind, octets)

    def mobility(self, connection, kind, octets):
        if kind == 0x18:                                       # identity request
            wanted = octets[2] & 7
            self.asked.append(wanted)
            digits = {IMSI: self.imsi, IMEI: self.imei, IMEISV: self.imeisv}[wanted]
            connection.dtap(b"\x05\x19" + lv(mobile_identity(digits, wanted)))
        elif kind == 0x02:                                     # location update accept, perhaps with a new TMSI
            self.outcome = "accept"
            rest = octets[7:]
            if rest[:1] == b"\x17" and rest[2] & 7 == TMSI:
                self.tmsi = rest[3:7]
                connection.dtap(b"\x05\x1b")
        elif kind == 0x04:
            self.outcome = "reject:%d" % octets[2]
        elif kind == 0x21:                                     # CM service accept
            self.send_code(connection)
        elif kind == 0x22:
            self.texts.append("service-reject:%d" % octets[2])
            self.ended = True

    def send_code(self, connection):
        if self.dialling is None:
            return
        code, self.dialling = self.dialling, None
        argument = ss7.tlv(0x30, ss7.tlv(4, b"\x0f"), ss7.tlv(4, pack_7bit(code)))
        connection.dtap(b"\x0b\x3b\x1c" + lv(ss7.invoke(5, 59, argument)) + b"\x7f\x01\x00")

    def supplementary(self, connection, kind, octets):
        facility = None
        if kind == 0x3A:                                       # FACILITY: mandatory, no tag
            facility = octets[3:3 + octets[2]]
        elif octets[2:3] == b"\x1c":
            facility = octets[4:4 + octets[3]]
        if facility:
            self.component(ss7.parse_component(facility))
        if kind == 0x2A:                                       # release complete
            self.ended = True

    def component(self, comp):
        if comp["type"] == ss7.ERROR:
            self.texts.append("error:%d" % comp["error"])
        elif comp["type"] == ss7.RESULT and comp["arg"]:
            self.texts.append("text:" + unpack_7bit(ss7.walk(comp["arg"][1])[1][1]))
        else:
            self.texts.append("component:%02x" % comp["type"])


class Bsc:
    def __init__(self, stp=("127.0.0.1", 2905), patience=10):
        self.patience, self.connections, self.last = patience, {}, 0
        self.here, self.there = ss7.address(BSSAP_SSN, BSC_PC), ss7.address(BSSAP_SSN, MSC_PC)
        self.link = ss7.M3UA(stp, pc=BSC_PC)
        self.link.up()
        self.is_reset = False

    def reset(self):
        """BSSMAP RESET until the MSC acknowledges; it may not have its own link up yet."""
        for _ in range(int(self.patience)):
            self.unitdata(b"\x30\x04\x01\x20")
            if self.until(lambda: self.is_reset, 1):
                return True
        return False

    def send(self, octets, sls=0):
        self.link.send(MSC_PC, octets, sls=sls & 15)

    def unitdata(self, bssmap):
        self.send(ss7.unitdata(self.there, self.here, b"\0" + lv(bssmap)))

    def new_reference(self, connection):
        self.last = self.last % 0xFFFFFE + 1
        self.connections[self.last] = connection
        return self.last

    def until(self, condition, seconds=None):
        stop = time.time() + (self.patience if seconds is None else seconds)
        while not condition() and time.time() < stop:
            octets = self.link.recv(min(0.5, max(0.01, stop - time.time())))
            if octets is not None:
                self.sccp(octets)
        return bool(condition())

    def sccp(self, octets):
        kind = octets[0]
        if kind in (0x09, 0x11):                               # UDT, XUDT
            return self.connectionless(ss7.unitdata_data(octets)[2:])
        connection = self.connections.get(int.from_bytes(octets[1:4], "little"))
        if kind == 0x04:                                       # RLSD is answered whether we know the connection or not
            self.send(b"\x05" + octets[4:7] + octets[1:4])
        if connection is None:
            return None
        if kind == 0x02:                                       # CC
            connection.peer = octets[4:7]
            self.options(connection, octets, 8)
        elif kind == 0x03:                                     # CREF
            connection.phone.refused()
            self.forget(connection)
        elif kind == 0x06:                                     # DT1
            self.bssap(connection, octets[6 + octets[5]:])
        elif kind == 0x04:
            self.options(connection, octets, 8)
            self.forget(connection)
        return None

    def forget(self, connection):
        del self.connections[connection.ref]
        if connection.phone.connection is connection:
            connection.phone.connection = None

    def options(self, connection, octets, pointer):
        if len(octets) <= pointer or not octets[pointer]:
            return
        rest = octets[pointer + octets[pointer]:]
        while rest and rest[0]:
            if rest[0] == 0x0F:
                self.bssap(connection, rest[2:2 + rest[1]])
            rest = rest[2 + rest[1]:]

    def connectionless(self, bssmap):
        if bssmap[0] == 0x30:                                  # RESET from the MSC
            self.unitdata(b"\x31")
        elif bssmap[0] == 0x31:
            self.is_reset = True

    def bssap(self, connection, octets):
        if octets[0] == 1:                                     # DTAP
            connection.phone.layer3(connection, octets[3:3 + octets[2]])
            return
        bssmap = octets[2:2 + octets[1]]
        if bssmap[0] == 0x20:                                  # clear command
            connection.bssmap(b"\x21")
        elif bssmap[0] == 0x53:                                # cipher mode: A5/0, and so the service is accepted
            connection.bssmap(b"\x55\x2c\x01")
            connection.phone.send_code(connection)
