import Divert
import Glibc
import Kernel

/// Reads batches until enough packets have come, the time is over, or a signal says so.
struct PortLoop: ~Copyable {
  let writer: DivertWriter
  private var socket: DivertSocket
  private let signals: SignalDescriptor
  private var events = PollSet()
  private let deadline: ContinuousClock.Instant?
  private var left: UInt64?

  init(_ socket: consuming DivertSocket, count: UInt64?, timeout: Duration?) throws(SystemError) {
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
    guard left != 0, try wait() else { return nil }
    let batch = try socket.read(timeout: .zero)
    if let count = left { left = count - min(count, UInt64(batch.count)) }
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
