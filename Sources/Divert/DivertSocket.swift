import DivertWire
import Glibc
public import Kernel
import Packets
import Synchronization

/// A divert socket: reads the packets that rules divert to its port.
///
/// ```swift
/// var socket = try DivertSocket(port: 2000)
/// let writer = socket.writer
/// while true {
///   var batch = try await socket.read()
///   while var packet = batch.next() {
///     if isUnwanted(packet.bytes) { packet.drop() }
///   }
///   writer.reinject(batch)  // the others go on behind the rule that diverted them
/// }
/// ```
///
/// The port is free again when the socket goes out of scope or is closed.
public struct DivertSocket: ~Copyable, Sendable {
  /// A packet that has been written back this many times and is diverted once more is dropped and counted as
  /// looped: a tag set too low would let it circle for ever.
  public static let passLimit = Int(FrameHeader.passLimit)

  /// The bound port; after binding 0, the one that was picked.
  public var port: UInt16 { connection.port }

  /// Writes packets to the same host. Take it before the first read: while a batch is looked at, the socket
  /// is not to be touched.
  public let writer: DivertWriter

  /// For select(2), poll(2) and epoll(7): it can be read when packets wait. Not to be read or closed.
  public var fileDescriptor: CInt { connection.descriptor.number }

  /// The socket's hold on its port, by which another thread or task can let it go; see ``PortBinding/release()``.
  public var binding: PortBinding { PortBinding(connection: connection) }

  /// Whether the port was released and all that had been diverted to it before has been read: nothing comes any more,
  /// and reads return empty batches at once. What was read can still be written back.
  public private(set) var isDrained = false

  private let connection: Connection
  private var buffers: FrameBuffers
  private var readiness: Readiness?
  private var received: UInt64 = 0

  /// Opens a socket and binds a divert port.
  ///
  /// - Parameters:
  ///   - port: The port that rules divert to; 0 takes any free one.
  ///   - host: Whose packets to divert: the kernel's, if nothing else is said.
  ///   - options: What more, or less, is wanted with the packets.
  /// - Throws: `EPERM` without privilege, `EACCES` for a port below 1024 that is not the caller's to bind,
  ///   `EADDRINUSE` when somebody has it, `ENOENT` where divertd is not running.
  public init<Host: DivertHost>(
    port: UInt16, on host: Host = DivertDaemon(), options: DivertOptions = []
  ) throws(SystemError) {
    let connection = Connection(try host.open(port: port, options: options), options)
    buffers = try FrameBuffers(takesNotes: options.asksForNotes)
    self.connection = connection
    writer = DivertWriter(connection)
  }

  deinit {
    // The poller lets go of the number before the kernel may give it to somebody else.
    readiness?.stop()
    connection.close()
  }

  /// Closes the socket and frees its port; packets that nobody has read are lost. To lose none, release the port first
  /// and read what is left (``PortBinding/release()``).
  public consuming func close() {}

  /// Waits for packets, then lends all that have come.
  ///
  /// Nothing is copied: the batch is the memory that the kernel wrote, and the next read takes it back.
  ///
  /// - Returns: At least one packet, until the socket is drained (``isDrained``).
  /// - Throws: `ENETDOWN` when the host has gone, `ECANCELED` when the task was cancelled. What ails one
  ///   packet is never thrown here.
  /// - Complexity: O(number of packets), no allocation; suspends at most once.
  /// - Source: divert(4), "Diverted packets may be read unaltered".
  @_lifetime(&self)
  public mutating func read() async throws(SystemError) -> PacketBatch {
    let count = try await receive(until: nil)
    return PacketBatch(buffers.frames, count: count, of: connection)
  }

  /// Waits for packets so long, then lends all that have come.
  ///
  /// As ``read()``, but there may be none: that the time was too short is no error.
  ///
  /// - Parameter limit: How long to wait; `.zero` not at all.
  @_lifetime(&self)
  public mutating func read(within limit: Duration) async throws(SystemError) -> PacketBatch {
    let count = try await receive(until: .now + limit)
    return PacketBatch(buffers.frames, count: count, of: connection)
  }

  /// Waits for packets by blocking the thread, then lends all that have come.
  ///
  /// As ``read()``, for programs without tasks.
  ///
  /// - Parameter timeout: How long to wait; nil waits for ever, `.zero` not at all.
  /// - Returns: The packets; none if the time is over, or the socket is drained (``isDrained``).
  @_lifetime(&self)
  public mutating func read(timeout: Duration? = nil) throws(SystemError) -> PacketBatch {
    var count = try receive(wait: timeout == nil)
    if count == 0, timeout != .zero {
      let end = timeout.map { ContinuousClock.now + $0 }
      while count == 0, !isDrained, try waitForInput(on: connection.descriptor.number, until: end) {
        count = try receive(wait: false)
      }
    }
    return PacketBatch(buffers.frames, count: count, of: connection)
  }

  /// Sets how many bytes may wait to be read; a packet that finds no room is dropped and counted.
  ///
  /// The kernel counts some 800 bytes for the smallest packet. Without privilege it may allow less than is
  /// asked for (net.core.rmem_max), and never less than some kilobytes.
  public func setReceiveBuffer(bytes: Int) throws(SystemError) {
    try connection.setReceiveBuffer(bytes)
  }

  public var statistics: DivertStatistics {
    DivertStatistics(
      received: received, droppedFull: connection.droppedFull,
      reinjectedIncoming: connection.counts?[.reinjectedIncoming] ?? 0,
      reinjectedOutgoing: connection.counts?[.reinjectedOutgoing] ?? 0,
      droppedChecksum: connection.counts?[.badChecksum] ?? 0, looped: connection.counts?[.looped] ?? 0,
      refusedByCode: connection.refusedByCode)
  }

  /// Takes what is there, and leaves in the buffers only what is for this socket.
  private mutating func receive(wait: Bool) throws(SystemError) -> Int {
    while !isDrained {
      let frameCount = try buffers.receive(from: connection.descriptor.number, wait: wait)
      let count = try keepWanted()
      if count > 0 || frameCount == 0 {
        received += UInt64(count)
        return count
      }
    }
    buffers.forget()
    return 0
  }

  private mutating func keepWanted() throws(SystemError) -> Int {
    let isReleased = connection.isReleased
    let hasNotesBehind =
      if case .call = connection.way { connection.options.asksForNotes } else { false }
    var (count, isEnd) = (0, false)
    var frames = buffers.frames
    for slot in 0..<frames.count {
      guard !isEnd else {
        frames.truncate(slot, to: 0)
        continue
      }
      // A host in this process ends the conversation by closing its end, or half of it when the port was released.
      guard frames.length(of: slot) > 0 else {
        guard isReleased else { throw SystemError("read packets", code: ENETDOWN) }
        isEnd = true
        continue
      }
      if hasNotesBehind { frames.takeNote(slot) }
      let length = Self.wanted(frames.bytes(slot), end: &isEnd)
      frames.truncate(slot, to: length)
      if length > 0 { count += 1 }
    }
    isDrained = isEnd
    return count
  }

  /// How much of a frame to show: the header and the packet without the link's padding; 0 for what others on
  /// the same link have sent.
  ///
  /// - Parameter end: Becomes true where the frame says that nothing comes behind it.
  private static func wanted(_ frame: RawSpan, end: inout Bool) -> Int {
    guard let header = FrameHeader(parsing: frame) else { return 0 }
    switch header.operation {
    case .diverted, .deliver:
      return FrameHeader.packetOffset
        + Reinjection.length(of: frame.extracting(droppingFirst: FrameHeader.packetOffset))
    case .released:
      end = true
      return 0
    case .reinject, .upcall, .accept: return 0
    }
  }

  private mutating func receive(until deadline: ContinuousClock.Instant?) async throws(SystemError) -> Int {
    while true {
      let count = try receive(wait: false)
      if count > 0 || isDrained { return count }
      if let deadline, ContinuousClock.now >= deadline { return 0 }
      if readiness == nil { readiness = try Readiness(of: connection.descriptor.number) }
      try await readiness?.wait(until: deadline)
    }
  }
}

extension Frames {
  /// Puts the note that lies behind a frame where notes are.
  @_lifetime(self: copy self)
  fileprivate mutating func takeNote(_ slot: Int) {
    let length = length(of: slot) - FrameNote.size
    guard length >= FrameHeader.packetOffset else { return }
    let note = unsafe bytes(slot).unsafeLoadUnaligned(fromByteOffset: length, as: FrameNote.self)
    self[note: slot] = note
    truncate(slot, to: length)
  }
}

/// What has happened to a socket's packets.
public struct DivertStatistics: Sendable, Equatable {
  /// Packets read.
  public var received: UInt64
  /// Packets that were lost because the receive buffer was full.
  public var droppedFull: UInt64
  /// Packets written that have re-entered the packet path, by pass. What rules, routes and queues make of them there is
  /// not counted here, but what they refuse is in ``refusedByCode``, too.
  public var reinjectedIncoming: UInt64
  public var reinjectedOutgoing: UInt64
  /// Packets written as incoming that were dropped for their wrong header checksum, of which nobody is told.
  public var droppedChecksum: UInt64
  /// Packets written that a rule would have diverted after ``DivertSocket/passLimit`` passes, and that were dropped.
  public var looped: UInt64
  /// By errno: packets that were refused when they were written; `ELOOP` is the loop guard's.
  public var refusedByCode: [CInt: UInt64]

  public var reinjected: UInt64 { reinjectedIncoming + reinjectedOutgoing }
  public var refused: UInt64 { refusedByCode.values.reduce(0, +) }
}
