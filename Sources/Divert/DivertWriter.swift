import DivertWire
import Glibc
public import Kernel
import Packets

/// Writes packets to a host: those that were read, changed ones, new ones.
///
/// Take it from the socket before the first read (``DivertSocket/writer``). It may be used from any number
/// of threads and tasks, and is of no more use once its socket is closed (`EBADF`).
///
/// A packet that is refused is an error about that packet only: the socket and its port are as before, and a
/// read loop should go on. These are the errors:
///
/// | errno | the packet |
/// | --- | --- |
/// | `EINVAL` | is shorter than an IP header, or than its own length field says |
/// | `EAFNOSUPPORT` | is neither IPv4 nor IPv6 |
/// | `EMSGSIZE` | is longer than 65 535 bytes, or than the next hop takes while it may not be fragmented |
/// | `EADDRNOTAVAIL` | has an interface that is none of this host's, or comes from 127/8 and would leave it |
/// | `EHOSTUNREACH` | has a destination without a route |
/// | `ENETUNREACH` | is for several, or for a link-local address, and neither route nor address tells the interface |
/// | `EACCES` | is outgoing, and a rule denied it |
/// | `ELOOP` | has been written back ``DivertSocket/passLimit`` times |
/// | `EPERM` | has a mark, and the program has no longer the privilege to set one (CAP_NET_ADMIN or CAP_NET_RAW) |
/// | `ENOBUFS` | found the interface's queue full |
///
/// On the kernel `EACCES` comes with the write that follows where the next hop's link-layer address was not known yet.
public final class DivertWriter: Sendable {
  let connection: Connection

  init(_ connection: Connection) { self.connection = connection }

  /// A writer without a port: enough for a program that only sends.
  public convenience init<Host: DivertHost>(on host: Host = DivertDaemon()) throws(SystemError) {
    let channel = try host.open(port: nil, options: [])
    self.init(Connection(channel))
  }

  /// Writes a packet back, so that it goes on behind the rule that diverted it (or behind
  /// ``DivertedPacket/tag``, if that was changed).
  public func reinject(_ packet: borrowing DivertedPacket) throws(SystemError) {
    guard var header = FrameHeader(parsing: packet.frame) else {
      throw refusal(EINVAL)  // dropped before
    }
    if connection.options.contains(.mark) { header.flags.insert(.ownMark) }
    try send(packet.bytes, header, mark: packet.mark)
  }

  /// Writes bytes, from the IP header on, as a packet with an address.
  public func reinject(_ packet: RawSpan, as address: DivertAddress) throws(SystemError) {
    guard let index = connection.index(of: address.interface) else { throw refusal(EADDRNOTAVAIL) }
    var flags = address.flags
    flags.remove(.outgoing)
    if address.direction == .outgoing { flags.insert(.outgoing) }
    try send(
      packet,
      FrameHeader(
        tag: address.tag, interface: index, flags: flags, path: address.path, passes: address.passes,
        operation: .reinject), mark: address.mark)
  }

  /// Writes bytes, from the IP header on, as a packet with an address.
  public func reinject(_ packet: [UInt8], as address: DivertAddress) throws(SystemError) {
    try unsafe reinject(packet.span.bytes, as: address)
  }

  /// Writes a packet that was copied.
  public func reinject(_ packet: Packet) throws(SystemError) {
    try reinject(packet.bytes, as: packet.address)
  }

  /// Writes a batch back, without the packets that were dropped from it: by one system call for all.
  ///
  /// - Returns: How many went. Nothing is thrown: one packet's refusal does not keep the others back.
  /// - Complexity: O(number of packets), no allocation.
  @discardableResult
  public func reinject(_ batch: consuming PacketBatch) -> Reinjected {
    batch.reinject(through: connection)
  }

  private func send(_ packet: RawSpan, _ header: FrameHeader, mark: UInt32) throws(SystemError) {
    var header = header
    if let code = header.prepareReinjection(of: packet) { throw refusal(code) }
    do throws(SystemError) {
      let number = try connection.descriptor.enter(for: "reinject a packet")
      defer { connection.descriptor.leave() }
      switch connection.way {
      case .call(let host):
        let code = host.reinject(packet, header, mark: mark)
        if code != 0 { throw SystemError("reinject a packet", code: code) }
      case .frames:
        try header.sendFrame(with: packet, mark: mark, to: number)
        if connection.newlyDenied > 0 { throw SystemError("reinject a packet", code: EACCES) }
      }
    } catch {
      throw refusal(connection.reason(for: error.code))
    }
  }

  private func refusal(_ code: CInt) -> SystemError {
    connection.refuse(code)
    return SystemError("reinject a packet", code: code)
  }
}

/// What became of a batch that was written back.
public struct Reinjected: Sendable, Equatable {
  /// Packets that went.
  public var written = 0
  /// Packets that were refused.
  public var refused = 0
  /// Why the last of these was.
  public var lastError: SystemError?

  mutating func refuse(_ code: CInt, _ connection: Connection, count: Int = 1) {
    connection.refuse(code, count: UInt64(count))
    refused += count
    lastError = SystemError("reinject a packet", code: code)
  }
}

extension PacketBatch {
  fileprivate consuming func reinject(through connection: Connection) -> Reinjected {
    var result = Reinjected()
    let marks = connection.options.contains(.mark)
    do throws(SystemError) {
      let number = try connection.descriptor.enter(for: "reinject packets")
      defer { connection.descriptor.leave() }
      for slot in 0..<frames.count where frames.length(of: slot) > 0 {
        let mark = marks ? frames[note: slot].mark : 0
        var frame = frames.frame(slot)
        switch FrameHeader.reinject(&frame, mark: marks ? mark : nil, on: connection.way) {
        case .dropped: break
        case .refused(let code): result.refuse(code, connection)
        case .written: result.written += 1
        case .toBeSent: frames.queue(slot, marks: marks)
        }
      }
      result.written += frames.send(to: number) { result.refuse(connection.reason(for: $0), connection) }
      let denied = Int(clamping: connection.newlyDenied)
      if denied > 0 {
        result.written = max(0, result.written - denied)
        result.refuse(EACCES, connection, count: denied)
      }
    } catch {
      result.refuse(error.code, connection)
    }
    return result
  }
}

private enum Outcome {
  case dropped, written, toBeSent
  case refused(CInt)
}

extension FrameHeader {
  /// Writes the packet in a frame that was read, or makes the frame one that can be sent.
  @_lifetime(frame: copy frame)
  fileprivate static func reinject(
    _ frame: inout MutableRawSpan, mark: UInt32?, on way: DivertChannel.Way
  ) -> Outcome {
    if case .call(let host) = way { return reinject(frame.bytes, mark: mark, on: host) }
    let kind: UInt8 = frame.bytes.integer(at: Offset.kind)
    guard kind != 0 else { return .dropped }
    // What stays as it is in the header stays: tag, interface, path and EtherType.
    let flags = Flags(rawValue: frame.bytes.integer(at: Offset.flags))
    let passes: UInt8 = frame.bytes.integer(at: Offset.passes)
    let interface: UInt32 = frame.bytes.integer(at: Offset.interface)
    let outgoing = flags.contains(.outgoing)
    if let code = Reinjection.refusal(
      of: frame.bytes.extracting(droppingFirst: packetOffset), outgoing: outgoing)
      ?? refusal(outgoing, interface, passes)
    {
      return .refused(code)
    }
    let ownMark: Flags = mark == nil ? [] : .ownMark
    frame.store(flags.subtracting(.tee).union(ownMark).rawValue, at: Offset.flags)
    frame.store(passes + 1, at: Offset.passes)
    frame.store(Self.kind(.reinject), at: Offset.kind)
    return .toBeSent
  }

  private static func reinject(_ frame: RawSpan, mark: UInt32?, on host: any InProcessHost) -> Outcome {
    guard var header = FrameHeader(parsing: frame) else { return .dropped }
    let packet = frame.extracting(droppingFirst: packetOffset)
    if mark != nil { header.flags.insert(.ownMark) }
    if let code = header.prepareReinjection(of: packet) { return .refused(code) }
    let code = host.reinject(packet, header, mark: mark ?? 0)
    return code == 0 ? .written : .refused(code)
  }

  private static func refusal(_ outgoing: Bool, _ interface: UInt32, _ passes: UInt8) -> CInt? {
    guard outgoing || interface != 0 else { return EADDRNOTAVAIL }
    return passes < passLimit ? nil : ELOOP
  }

  /// Makes the header of a packet that was read, or of a new one, the header of one that is written.
  ///
  /// - Returns: The errno of a packet that is refused at once.
  mutating func prepareReinjection(of packet: RawSpan) -> CInt? {
    let outgoing = flags.contains(.outgoing)
    if let code = Reinjection.refusal(of: packet, outgoing: outgoing) { return code }
    if let code = Self.refusal(outgoing, interface, passes) { return code }
    passes += 1
    operation = .reinject
    flags.remove(.tee)
    return nil
  }

  /// Sends a frame whose packet lies elsewhere. The header checksum of an outgoing packet is the host's to set.
  fileprivate func sendFrame(with packet: RawSpan, mark: UInt32, to descriptor: CInt) throws(SystemError) {
    var storage = InlineArray<14, UInt8>(repeating: 0)
    var span = storage.mutableSpan
    var head = unsafe span.mutableBytes
    write(to: &head, packetVersion: packet.integer(at: 0, as: UInt8.self) >> 4)
    try Kernel.sendFrame(head.bytes, packet, to: descriptor, mark: mark)
  }
}
