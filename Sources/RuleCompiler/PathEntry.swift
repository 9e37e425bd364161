/// An entry of ``HookMaps/paths``: the path that a diverted packet was on, so that it goes on there when it comes back,
/// whatever the host's routes look at: marks, users, ports, the interface it came from, the socket's device.
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 4 | sequence: odd while a CPU writes the entry, 0 for one that was never used |
/// | 4 | 4 | when it was last found, in units of 2^30 ns (CLOCK_MONOTONIC_COARSE) |
/// | 8 | 80 | ``Path`` |
/// | 88 | 4 | the longest packet that took this path, in bytes; 0 for fragments |
///
/// A packet finds its entry by the hash of its path, among ``ways`` neighbours; where none has it, the one replaced is the
/// one that was not found for the longest time, if that is ``idleTime`` at least. What a frame says of an entry is its
/// place and 7 bits of its sequence: a reader copies an entry and looks at the sequence before and behind, so that what
/// another CPU writes meanwhile is never taken for a path.
package enum PathEntry {
  static let sequence = 0
  static let lastFound = 4
  static let path = 8
  static let longest = 88
  package static let size = 96

  package static let capacity = 65_536
  static let ways: UInt32 = 8
  /// In the unit of `lastFound`: a packet that its program keeps for longer may be routed anew.
  static let idleTime: UInt32 = 5

  /// Offsets in the 80 bytes that make one path differ from another. As far as `etherType` they are what routing looks at
  /// in the packet itself; where an IPv6 packet has extension headers, or is a fragment, its ports are unknown: 0.
  enum Path {
    /// 16 bytes each, of which IPv4 uses the first 4; network order.
    static let source = 0
    static let destination = 16
    /// The source port in the upper half, in host order.
    static let ports = 32
    /// IPv4's type of service, or the first four bytes of an IPv6 header; without ECN (RFC 3168), in host order.
    static let service = 36
    static let transport = 40
    static let version = 41
    /// 16 bits: ``PathFlags``.
    static let flags = 42
    static let receiveInterface = 44
    static let transmitInterface = 48
    /// What the packet's socket is bound to (SO_BINDTODEVICE, socket(7)), 0 for nothing.
    static let boundInterface = 52
    static let mark = 56
    static let priority = 60
    /// 14 bytes.
    static let linkHeader = 64
    static let end = 78
  }
  static let pathSize = 80
}

enum PathFlags {
  static let outgoing: UInt32 = 1
  /// Written down by the link's hook for divertd: it says where the packet is, not how it leaves.
  static let withoutWay: UInt32 = 2
}

/// The transports whose ports lie in the first four bytes of their header.
let transportsWithPorts: [UInt32] = [6, 17, 132, 136]
