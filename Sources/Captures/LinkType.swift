import Packets

/// What stands before the IP packets of a capture, by its number at
/// <https://www.tcpdump.org/linktypes.html>.
package enum LinkType: Equatable, Sendable, BitwiseCopyable {
  case ethernet
  case rawIP
  /// Linux "cooked" capture: of the pseudo-device `any`.
  case cooked, cooked2
  /// A protocol family of 4 bytes, in the byte order of the capturing machine or in that of the network.
  case loopback
  /// PPP, with or without the address and control bytes of HDLC (RFC 1661, RFC 1662).
  case ppp
  /// PPP in HDLC framing (RFC 1662), or Cisco's HDLC on the same line.
  case serialLine
  /// A PPPoE session (RFC 2516).
  case pppoe
  /// Cisco's HDLC: address, control, EtherType.
  case ciscoHDLC
  case slip
  /// A message of Linux's nfnetlink_log; its integers are in the byte order of the capturing machine.
  case netfilterLog(isSwapped: Bool)
  /// A record of BSD's pflog(4).
  case packetFilterLog

  /// - Parameter isSwapped: The integers of the file are little-endian: those of the capturing machine.
  /// - Returns: nil for a link type that is not known here.
  package init?(_ number: UInt32, isSwapped: Bool = true) {
    switch number {
    case 1: self = .ethernet
    // DLT_RAW as some systems number it, LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6
    case 12, 14, 101, 228, 229: self = .rawIP
    case 113: self = .cooked
    case 276: self = .cooked2
    case 0, 108: self = .loopback
    case 9: self = .ppp
    case 50: self = .serialLine
    case 51: self = .pppoe
    case 104: self = .ciscoHDLC
    case 8: self = .slip
    case 239: self = .netfilterLog(isSwapped: isSwapped)
    case 117: self = .packetFilterLog
    default: return nil
    }
  }

  /// Where in a frame its IP packet begins; nil: it carries none.
  ///
  /// VLAN tags (IEEE 802.1Q) and PPPoE sessions are passed over: to the interface that the packet belongs to, it came
  /// without them.
  package func packetOffset(in frame: RawSpan) -> Int? {
    switch self {
    case .ethernet: Self.packetOffset(in: frame, typeAt: 12, packetAt: 14)
    case .cooked: Self.packetOffset(in: frame, typeAt: 14, packetAt: 16)
    case .cooked2: Self.packetOffset(in: frame, typeAt: 0, packetAt: 20)
    case .rawIP: Self.isIP(frame, at: 0) ? 0 : nil
    case .loopback: Self.isIPFamily(frame) ? 4 : nil
    case .ppp: Self.packetOffset(inPPP: frame, at: 0)
    case .serialLine: Self.packetOffset(onSerialLine: frame)
    case .pppoe: Self.packetOffset(inPPPoE: frame, at: 0)
    case .ciscoHDLC: Self.packetOffset(in: frame, typeAt: 2, packetAt: 4)
    // Direction, and 15 bytes of a compressed header.
    case .slip: Self.isIP(frame, at: 16) ? 16 : nil
    case .netfilterLog(let isSwapped): Self.packetOffset(inNetfilterLog: frame, isSwapped)
    case .packetFilterLog: Self.packetOffset(inPacketFilterLog: frame)
    }
  }

  private static func packetOffset(in frame: RawSpan, typeAt: Int, packetAt: Int) -> Int? {
    var (typeAt, packetAt) = (typeAt, packetAt)
    while frame.byteCount >= packetAt {
      switch frame.integer(at: typeAt, as: UInt16.self) {
      case 0x0800, 0x86dd: return packetAt
      // two bytes of tag, and then the type of what follows
      case 0x8100, 0x88a8, 0x9100: (typeAt, packetAt) = (packetAt + 2, packetAt + 4)
      case 0x8864: return packetOffset(inPPPoE: frame, at: packetAt)
      default: return nil
      }
    }
    return nil
  }

  static func isIP(_ frame: RawSpan, at offset: Int) -> Bool {
    guard frame.byteCount > offset else { return false }
    let version = frame.integer(at: offset, as: UInt8.self) >> 4
    return version == 4 || version == 6
  }

  /// AF_INET is 2 everywhere; AF_INET6 is 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 10 on Linux, 23 on
  /// Windows.
  private static func isIPFamily(_ frame: RawSpan) -> Bool {
    guard frame.byteCount >= 4 else { return false }
    let family: UInt32 = frame.integer(at: 0)
    return switch family <= 0xffff ? family : family.byteSwapped {
    case 2, 10, 23, 24, 28, 30: true
    default: false
    }
  }
}
