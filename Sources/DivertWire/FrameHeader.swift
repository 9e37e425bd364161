/// The 12 bytes in front of every packet on a link, where an Ethernet frame has its two MAC addresses.
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 1 | ``Operation`` in the upper four bits, version in the lower ones |
/// | 1 | 1 | ``Flags`` |
/// | 2 | 2 | tag: number of the rule that diverted; written back, rules restart after it |
/// | 4 | 4 | interface index (see ``Flags/transmitInterface``), 0 for none |
/// | 8 | 3 | ``FramePath`` |
/// | 11 | 1 | passes: how often this packet has been written back |
///
/// Integers are in network byte order. The two bytes behind are the EtherType; the IP header starts at 14. The version is
/// even, so that the first byte never looks like that of a group address, which neighbour redirection refuses.
public struct FrameHeader: Equatable, Sendable, BitwiseCopyable {
  public static let version: UInt8 = 2
  /// Header and EtherType: where the packet starts.
  public static let packetOffset = 14
  /// A packet with this many passes is dropped and counted as looped, not written back once more.
  public static let passLimit: UInt8 = 16

  public enum Operation: UInt8, Sendable, BitwiseCopyable {
    /// Kernel to client: a packet that a rule diverted, or a copy by `tee`.
    case diverted = 1
    /// Client to kernel: back into the packet path, incoming or outgoing by the flag.
    case reinject = 2
    /// divertd to kernel: to the client on this link.
    case deliver = 3
    /// Kernel to divertd: judgement goes on in user space at the rule numbered by the tag.
    case upcall = 4
    /// divertd to kernel: judged to the end in user space, no rule looks at it any more in this pass.
    case accept = 5
    /// divertd to client: the socket's port was released, and nothing comes behind this.
    case released = 6
  }

  public struct Flags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The outgoing pass; without it the incoming one.
    public static let outgoing = Flags(rawValue: 1 << 0)
    /// Incoming: it came to a link-layer broadcast address.
    public static let broadcast = Flags(rawValue: 1 << 1)
    /// Incoming: it came to a link-layer multicast address.
    public static let multicast = Flags(rawValue: 1 << 2)
    /// How a packet came on the link layer: both of these.
    package static let arrival = Flags(rawValue: 1 << 1 | 1 << 2)
    /// A copy made by `tee`.
    public static let tee = Flags(rawValue: 1 << 3)
    /// The interface is the one to transmit on (outgoing packets made by this host); without the flag it is
    /// the one that received the packet.
    public static let transmitInterface = Flags(rawValue: 1 << 4)
    /// In an upcall: a program has written the packet in this pass.
    public static let reinjected = Flags(rawValue: 1 << 5)
    /// Written back: its mark is the one beside the frame, 0 too, not the one that it had.
    public static let ownMark = Flags(rawValue: 1 << 6)
  }

  public var tag: UInt16
  public var interface: UInt32
  public var flags: Flags
  public var path: FramePath
  public var passes: UInt8
  public var operation: Operation

  @inlinable public init(
    tag: UInt16, interface: UInt32, flags: Flags, path: FramePath = .none, passes: UInt8,
    operation: Operation
  ) {
    self.tag = tag
    self.interface = interface
    self.flags = flags
    self.path = path
    self.passes = passes
    self.operation = operation
  }
}

/// Where the host has written down the path that a packet was on when it was diverted, so that it goes on there when it
/// comes back: a slot of a table, and a check that tells a later packet's path in the same slot.
public struct FramePath: Hashable, Sendable, BitwiseCopyable {
  public var slot: UInt16
  /// 0 where nothing was written down.
  public var check: UInt8

  @inlinable public init(slot: UInt16, check: UInt8) { (self.slot, self.check) = (slot, check) }

  /// Nothing was written down: such a packet is routed anew.
  @inlinable public static var none: FramePath { FramePath(slot: 0, check: 0) }
}
