/// What the rule language asks of a packet, read once from its bytes.
///
/// Parsing never fails: a packet cut short or without a readable header yields `isReadable == false`, and where
/// there is no transport header to read (a later fragment, another protocol) `transport` stays `.none`.
/// All integers are in host byte order.
package struct PacketFields: Sendable, BitwiseCopyable {
  package enum Transport: UInt8, Sendable, BitwiseCopyable {
    /// There is no transport header to read.
    case none
    /// `sourcePort` and `destinationPort` are valid.
    case ports
    /// `icmpType` and `icmpCode` are valid: ICMP (1) over IPv4, ICMPv6 (58) over IPv6.
    case icmp
  }

  /// 4 or 6; 0 where the header is unreadable.
  package var version: UInt8 = 0
  /// The upper-layer protocol: over IPv6 the one behind the extension headers (RFC 8200 §4).
  package var protocolNumber: UInt8 = 0
  package var transport: Transport = .none
  package var tcpFlags: UInt8 = 0
  package var icmpType: UInt8 = 0
  package var icmpCode: UInt8 = 0
  /// In bytes; 0 for the first fragment and for what is no fragment.
  package var fragmentOffset: UInt16 = 0
  package var moreFragments = false
  /// IPv4: the flags as on the wire (0x80 reserved, 0x40 don't fragment, 0x20 more fragments), and 0x01 where
  /// the offset is not 0.
  package var fragmentBits: UInt8 = 0
  package var sourcePort: UInt16 = 0
  package var destinationPort: UInt16 = 0
  /// The packet's length in bytes by its own header (IPv4: Total Length; IPv6: 40 + Payload Length).
  package var length: UInt32 = 0
  package var source4 = IPv4Address.any
  package var destination4 = IPv4Address.any
  package var source6 = IPv6Address(high: 0, low: 0)
  package var destination6 = IPv6Address(high: 0, low: 0)

  @inlinable package var isReadable: Bool { version != 0 }
  // By pattern: between modules, `==` on an enumeration is a call.
  @inlinable package var hasPorts: Bool { if case .ports = transport { true } else { false } }
  @inlinable package var hasICMPType: Bool { if case .icmp = transport { true } else { false } }

  package init() {}
}
