import DivertWire
public import Packets

/// Where a packet was when a rule diverted it, and where it is to go on when it is written back.
///
/// What `recvfrom` gives and `sendto` takes on BSD: a tag, a direction and an interface. Passing the address
/// of a packet back unchanged lets the packet go on behind the rule that diverted it.
public struct DivertAddress: Hashable, Sendable, BitwiseCopyable {
  /// The pass of a packet through the host.
  public enum Direction: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// After reception on an interface.
    case incoming
    /// Before forwarding to the next hop.
    case outgoing
  }

  /// How an interface is told: a packet that was read has an index, or ``none`` where this host made it.
  public enum Interface: Hashable, Sendable, BitwiseCopyable {
    case none
    case index(UInt32)
    case name(InterfaceName)
    /// The interface that has this address.
    case address(IPv4Address)
    /// The same with IPv6; the first interface that has it, where a link-local address is several interfaces'.
    case address6(IPv6Address)
  }

  /// The number of the rule that diverted, in host byte order. A packet that is written goes on at the first
  /// rule with a greater number; with 0 it meets all rules.
  public var tag: UInt16
  public var direction: Direction
  /// Incoming: where the packet was received, or is said to have been. Outgoing: where a forwarded packet was
  /// received; ``Interface/none`` lets the routes alone decide.
  public var interface: Interface
  /// How often the packet has been written back so far. See ``DivertSocket/passLimit``.
  public var passes: UInt8
  /// The mark that the packet goes on with (SO_MARK, socket(7)), 0 for none; that of a packet that was read is told to
  /// sockets that ask (``DivertOptions/mark``).
  ///
  /// While nothing sets it, a packet that was read goes on with the mark that it had, told or not.
  public var mark: UInt32 = 0 { didSet { flags.insert(.ownMark) } }
  /// How it came on the link layer, and which interface the index means.
  var flags: FrameHeader.Flags
  /// Where its host has written down the path that the packet was on.
  var path: FramePath

  init(
    tag: UInt16, direction: Direction, interface: Interface, passes: UInt8 = 0,
    flags: FrameHeader.Flags = [], path: FramePath = .none
  ) {
    (self.tag, self.direction, self.interface) = (tag, direction, interface)
    (self.passes, self.flags, self.path) = (passes, flags, path)
  }

  /// - Parameter mark: The packet's, nil where it was not told.
  init(_ header: FrameHeader, mark: UInt32?) {
    self.init(
      tag: header.tag, direction: header.flags.contains(.outgoing) ? .outgoing : .incoming,
      interface: header.interface == 0 ? .none : .index(header.interface), passes: header.passes,
      flags: header.flags.intersection([.broadcast, .multicast, .transmitInterface]), path: header.path)
    guard let mark else { return }
    self.mark = mark
    flags.insert(.ownMark)
  }

  /// Whether ``interface`` is the one that received the packet; if not, an interface that was read with an outgoing
  /// packet is the one by which it was about to leave.
  public var wasReceived: Bool { interface != .none && !flags.contains(.transmitInterface) }

  /// A packet that leaves this host, by the route to its destination.
  public static func outgoing(tag: UInt16 = 0) -> DivertAddress {
    DivertAddress(tag: tag, direction: .outgoing, interface: .none)
  }

  /// A packet that leaves this host by an interface, where routes alone do not tell by which: to a group, to all on a
  /// network, to a link-local address. Any other goes by its route all the same.
  public static func outgoing(on name: InterfaceName, tag: UInt16 = 0) -> DivertAddress {
    DivertAddress(tag: tag, direction: .outgoing, interface: .name(name), flags: .transmitInterface)
  }

  /// A packet that arrives on an interface.
  public static func incoming(on name: InterfaceName, tag: UInt16 = 0) -> DivertAddress {
    DivertAddress(tag: tag, direction: .incoming, interface: .name(name))
  }

  /// A packet that arrives on the interface with an index.
  public static func incoming(onIndex index: UInt32, tag: UInt16 = 0) -> DivertAddress {
    DivertAddress(tag: tag, direction: .incoming, interface: .index(index))
  }

  /// A packet that arrives on the interface that has an address.
  public static func incoming(at address: IPv4Address, tag: UInt16 = 0) -> DivertAddress {
    DivertAddress(tag: tag, direction: .incoming, interface: .address(address))
  }

  /// A packet that arrives on the interface that has an IPv6 address. (A link-local one may be several interfaces':
  /// better name the interface.)
  public static func incoming(at address: IPv6Address, tag: UInt16 = 0) -> DivertAddress {
    DivertAddress(tag: tag, direction: .incoming, interface: .address6(address))
  }
}

/// The name of an interface, at most 15 bytes, kept in place so that addresses stay small.
///
/// A longer name is no interface's (Linux, IFNAMSIZ) and is kept cut, as one that no interface has.
public struct InterfaceName: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible,
  ExpressibleByStringLiteral
{
  private let bytes: (UInt64, UInt64)

  public init(_ name: String) {
    var high: UInt64 = 0
    var low: UInt64 = 0
    // All 16 bytes may be used: a name cut there has no terminating zero within IFNAMSIZ, so nobody has it.
    for (index, byte) in name.utf8.prefix(16).enumerated() {
      if index < 8 {
        high |= UInt64(byte) << (56 - 8 * index)
      } else {
        low |= UInt64(byte) << (120 - 8 * index)
      }
    }
    bytes = (high, low)
  }

  public init(stringLiteral name: String) { self.init(name) }

  public var description: String {
    var name: [UInt8] = []
    for half in [bytes.0, bytes.1] {
      for shift in stride(from: 56, through: 0, by: -8) {
        let byte = UInt8(truncatingIfNeeded: half >> UInt64(shift))
        if byte != 0 { name.append(byte) }
      }
    }
    return String(decoding: name, as: UTF8.self)
  }

  public static func == (left: InterfaceName, right: InterfaceName) -> Bool { left.bytes == right.bytes }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(bytes.0)
    hasher.combine(bytes.1)
  }
}
