/// The 12 bytes in front of every packet on a link, where an Ethernet frame has its two MAC addresses.
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 2 | divert port; of an upcall the transmit interface, 0 if none or above 65 535 |
/// | 2 | 2 | tag: number of the rule that diverted; written back, rules restart after it |
/// | 4 | 4 | interface index (see ``Flags/transmitInterface``), 0 for none |
/// | 8 | 1 | ``Flags`` |
/// | 9 | 1 | passes: how often this packet has been written back |
/// | 10 | 1 | ``Operation`` |
/// | 11 | 1 | version, 1 |
///
/// Integers are in network byte order. The two bytes behind are the EtherType; the IP header starts at 14.
public struct FrameHeader: Equatable, Sendable, BitwiseCopyable {
  public static let version: UInt8 = 1
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
  }

  public var port: UInt16
  public var tag: UInt16
  public var interface: UInt32
  public var flags: Flags
  public var passes: UInt8
  public var operation: Operation

  @inlinable public init(
    port: UInt16, tag: UInt16, interface: UInt32, flags: Flags, passes: UInt8, operation: Operation
  ) {
    self.port = port
    self.tag = tag
    self.interface = interface
    self.flags = flags
    self.passes = passes
    self.operation = operation
  }
}
