import Packets

/// Lines between two ends: PPP and what is like it.
extension LinkType {
  /// From the protocol on, with or without 0xff 0x03 before it (RFC 1662 §3.1).
  static func packetOffset(inPPP frame: RawSpan, at start: Int) -> Int? {
    guard frame.byteCount >= start + 2 else { return nil }
    let hasFraming = frame.integer(at: start, as: UInt16.self) == 0xff03
    return packetOffset(behindProtocolIn: frame, at: hasFraming ? start + 2 : start)
  }

  /// The protocol number is one byte where both ends have agreed on that (RFC 1661 §6.5): an odd one, as no first byte of
  /// two is. 0x0021 is IPv4, 0x0057 is IPv6 (RFC 1332, RFC 5072).
  private static func packetOffset(behindProtocolIn frame: RawSpan, at offset: Int) -> Int? {
    guard frame.byteCount > offset else { return nil }
    let first = frame.integer(at: offset, as: UInt8.self)
    if first == 0x21 || first == 0x57 { return offset + 1 }
    guard first == 0, frame.byteCount >= offset + 2 else { return nil }
    let second = frame.integer(at: offset + 1, as: UInt8.self)
    return second == 0x21 || second == 0x57 ? offset + 2 : nil
  }

  /// The address says what follows: 0xff is PPP's, 0x0f and 0x8f are Cisco's, to one station and to all (RFC 1547 §4.3.1).
  static func packetOffset(onSerialLine frame: RawSpan) -> Int? {
    guard frame.byteCount >= 4 else { return nil }
    return switch frame.integer(at: 0, as: UInt8.self) {
    case 0xff: packetOffset(behindProtocolIn: frame, at: 2)
    case 0x0f, 0x8f: LinkType.ciscoHDLC.packetOffset(in: frame)
    default: nil
    }
  }

  /// Version and type 1, code 0, session, length, and PPP without framing (RFC 2516 §4).
  static func packetOffset(inPPPoE frame: RawSpan, at start: Int) -> Int? {
    guard frame.byteCount >= start + 6, frame.integer(at: start, as: UInt16.self) == 0x1100 else {
      return nil
    }
    return packetOffset(behindProtocolIn: frame, at: start + 6)
  }
}
