import DivertWire
import Kernel
import Packets

/// The packets that one read brought, in the order in which they came.
///
/// The batch *is* the memory that the kernel wrote; the next read takes it back. Look at the packets with
/// ``next()``, change or drop some, and write the others back by one call,
/// ``DivertWriter/reinject(_:)-(PacketBatch)``.
@safe public struct PacketBatch: ~Copyable, ~Escapable {
  var frames: Frames
  private var position = 0
  private let connection: Unmanaged<Connection>
  /// How many packets there are; 0 only after a timeout, or when the socket is drained.
  public let count: Int

  @_lifetime(copy frames)
  init(_ frames: consuming Frames, count: Int, of connection: Connection) {
    self.frames = frames
    self.count = count
    // The socket, which this cannot outlive, holds it.
    unsafe self.connection = Unmanaged.passUnretained(connection)
  }

  public var isEmpty: Bool { count == 0 }

  /// The next packet, or nil after the last one.
  ///
  /// - Complexity: O(1), no allocation.
  @_lifetime(&self)
  public mutating func next() -> DivertedPacket? {
    while position < frames.count {
      let slot = position
      position += 1
      guard frames.length(of: slot) > 0 else { continue }
      return unsafe DivertedPacket(frames.notedFrame(slot), of: connection)
    }
    return nil
  }

  /// Begins again with the first packet.
  public mutating func rewind() { position = 0 }
}

/// A packet that a rule has diverted, in the memory where it was received.
///
/// It is gone from the packet path: unless it is written back, that was its end. (A copy by `tee` is one more
/// packet; the original has gone on.)
@safe public struct DivertedPacket: ~Copyable, ~Escapable {
  /// A `FrameNote`, then the frame.
  private var notedFrame: MutableRawSpan
  private let connection: Unmanaged<Connection>

  @_lifetime(copy notedFrame)
  init(_ notedFrame: consuming MutableRawSpan, of connection: Unmanaged<Connection>) {
    self.notedFrame = notedFrame
    unsafe self.connection = unsafe connection
  }

  /// From the frame's header on.
  var frame: RawSpan {
    @_lifetime(borrow self) get { notedFrame.bytes.extracting(droppingFirst: FrameNote.size) }
  }

  private func field<Integer: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Integer {
    notedFrame.bytes.integer(at: FrameNote.size + offset)
  }

  private mutating func set<Integer: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _ value: Integer) {
    notedFrame.store(value, at: FrameNote.size + offset)
  }

  private var note: FrameNote {
    get { unsafe notedFrame.bytes.unsafeLoadUnaligned(as: FrameNote.self) }
    set { notedFrame.storeBytes(of: newValue, as: FrameNote.self) }
  }

  /// The packet from its IP header on, in network byte order.
  ///
  /// Transport checksums are complete. The IP header's is valid on incoming packets; divert(4) promises
  /// nothing for outgoing ones.
  public var bytes: RawSpan {
    @_lifetime(borrow self) get { frame.extracting(droppingFirst: FrameHeader.packetOffset) }
  }

  /// The same bytes, to be changed in place. Correct the checksums of what you change; only the header
  /// checksum of an outgoing packet is done for you. For another length, write other bytes
  /// (``DivertWriter/reinject(_:as:)-(RawSpan,_)``).
  public var mutableBytes: MutableRawSpan {
    @_lifetime(&self) mutating get {
      notedFrame._mutatingExtracting(droppingFirst: FrameNote.size + FrameHeader.packetOffset)
    }
  }

  /// The number of the rule that diverted, in host byte order. Set it for the packet to go on behind another
  /// rule; 0 makes it meet all rules again.
  public var tag: UInt16 {
    get { field(FrameHeader.Offset.tag) }
    set { set(FrameHeader.Offset.tag, newValue) }
  }

  public var direction: DivertAddress.Direction { flags.contains(.outgoing) ? .outgoing : .incoming }

  /// Incoming, and forwarded: the index of the interface that received the packet. Made by this host: of the
  /// one it is to leave by.
  public var interfaceIndex: UInt32 { field(FrameHeader.Offset.interface) }

  /// The name of that interface, if it still has one.
  ///
  /// - Complexity: a look-up in the socket's cache.
  public var interfaceName: String? {
    unsafe connection._withUnsafeGuaranteedRef { $0.interfaces.name(ofIndex: interfaceIndex) }
  }

  /// How often it has been written back before.
  public var passes: UInt8 { field(FrameHeader.Offset.passes) }

  /// Whether it is a copy made by `tee`.
  public var isTee: Bool { flags.contains(.tee) }

  /// When the socket got it, in nanoseconds since 1970 by the host's clock; nil unless the socket asks
  /// (``DivertOptions/time``).
  public var time: UInt64? { note.time == 0 ? nil : note.time }

  /// Its mark, 0 for none, for sockets that ask (``DivertOptions/mark``). It goes on with it; set it for another. Of other
  /// sockets it is 0 and stays so.
  public var mark: UInt32 {
    get { note.mark }
    set {
      guard unsafe connection._withUnsafeGuaranteedRef({ $0.options.contains(.mark) }) else { return }
      note.mark = newValue
    }
  }

  /// The user whose program on this host has made it, for sockets that ask (``DivertOptions/owner``): of outgoing
  /// packets in their pass for the first time. nil for all others; what the kernel itself sends may be root's or nobody's.
  public var owner: UInt32? { note.owner == 0 ? nil : note.owner - 1 }

  /// What ``DivertWriter/reinject(_:as:)-(RawSpan,_)`` takes to let other bytes go on where this packet would.
  public var address: DivertAddress {
    guard let header = FrameHeader(parsing: frame) else { return .outgoing() }
    let isTold = unsafe connection._withUnsafeGuaranteedRef { $0.options.contains(.mark) }
    return DivertAddress(header, mark: isTold ? mark : nil)
  }

  /// Keeps it out of what ``DivertWriter/reinject(_:)-(PacketBatch)`` writes back.
  public mutating func drop() {
    set(FrameHeader.Offset.kind, 0 as UInt8)
  }

  /// A copy to keep.
  public func copy() -> Packet {
    Packet(bytes: Array(copying: bytes), address: address, isTee: isTee, time: time, owner: owner)
  }

  var flags: FrameHeader.Flags {
    FrameHeader.Flags(rawValue: field(FrameHeader.Offset.flags))
  }
}

/// A packet as a value, and where it goes on.
public struct Packet: Hashable, Sendable {
  /// From the IP header on, in network byte order.
  public var bytes: [UInt8]
  public var address: DivertAddress
  /// Whether it is a copy made by `tee`.
  public var isTee: Bool
  /// When the socket got it, and who has made it: ``DivertedPacket/time``, ``DivertedPacket/owner``.
  public var time: UInt64?
  public var owner: UInt32?

  public init(
    bytes: [UInt8], address: DivertAddress, isTee: Bool = false, time: UInt64? = nil, owner: UInt32? = nil
  ) {
    (self.bytes, self.address, self.isTee) = (bytes, address, isTee)
    (self.time, self.owner) = (time, owner)
  }
}

extension Array<UInt8> {
  init(copying bytes: RawSpan) {
    self = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
  }
}
