import Divert
import Glibc
import Kernel

/// Reads batches until enough packets have come, the time is over, or a signal says so; then, if it is told to, what
/// has been diverted by then.
struct PortLoop: ~Copyable {
  let writer: DivertWriter
  private var socket: DivertSocket
  private let signals: SignalDescriptor
  private var events = PollSet()
  private let deadline: ContinuousClock.Instant?
  private var left: UInt64?
  private let drains: Bool
  private var isEnding = false

  /// - Parameter drains: Whether what still waits at the end is read, too: by whoever writes back, so that no packet
  ///   is lost with the program.
  init(
    _ socket: consuming DivertSocket, count: UInt64?, timeout: Duration?, drains: Bool = false
  ) throws(SystemError) {
    self.drains = drains
    signals = try SignalDescriptor([SIGINT, SIGTERM])
    writer = socket.writer
    events.add(socket.fileDescriptor)
    events.add(signals.descriptor.number)
    left = count
    deadline = timeout.map { ContinuousClock.now + $0 }
    self.socket = socket
  }

  var port: UInt16 { socket.port }

  var statistics: DivertStatistics { socket.statistics }

  /// The next packets, or nil at the end. The last batch may hold more than were asked for: they have been read, so
  /// whoever reads them does with all of them what it does.
  @_lifetime(&self)
  mutating func next() throws(SystemError) -> PacketBatch? {
    guard !isEnding, left != 0, try wait() else { return try rest() }
    let batch = try socket.read(timeout: .zero)
    if let count = left { left = count - min(count, UInt64(batch.count)) }
    return batch
  }

  @_lifetime(&self)
  private mutating func rest() throws(SystemError) -> PacketBatch? {
    guard drains else { return nil }
    if !isEnding {
      isEnding = true
      // Where divertd has ended there is nothing to release, and nowhere to write back to.
      do throws(SystemError) { try socket.binding.release() } catch { return nil }
    }
    let batch = try socket.read()
    guard !batch.isEmpty else { return nil }
    return batch
  }

  /// - Returns: false for a signal, or when the time is over.
  private mutating func wait() throws(SystemError) -> Bool {
    while true {
      try events.wait(milliseconds: millisecondsLeft)
      if signals.next() != nil { return false }
      if events.isReadable(socket.fileDescriptor) { return true }
      if millisecondsLeft == 0 { return false }
    }
  }

  private var millisecondsLeft: CInt {
    guard let deadline else { return -1 }
    let (seconds, attoseconds) = ContinuousClock.now.duration(to: deadline).components
    return CInt(
      clamping: max(0, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
  }
}
