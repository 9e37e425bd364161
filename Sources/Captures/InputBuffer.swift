import Glibc
import Kernel

/// A window on a file or a pipe: some bytes of it at a time, never more than the longest record needs.
struct InputBuffer: ~Copyable {
  /// What the records of a capture may be long: tcpdump's longest packet (pcap(3), MAXIMUM_SNAPLEN), and room for a
  /// block's own fields and options.
  static let longestPacket = 262_144
  static let longestRecord = longestPacket + 65_536

  /// Held for its number.
  private let descriptor: Descriptor?
  private let number: CInt?
  /// Readable when reading is to end.
  private let stop: CInt?
  private var storage: [UInt8]
  private var start = 0
  private var end: Int
  private(set) var isAtEnd: Bool
  private(set) var isStopped = false
  /// Of the first byte in the window, from the start of the input.
  private(set) var offset: UInt64 = 0

  init(reading descriptor: consuming Descriptor, until stop: CInt?) {
    number = descriptor.number
    self.descriptor = consume descriptor
    self.stop = stop
    storage = [UInt8](repeating: 0, count: 65_536)
    end = 0
    isAtEnd = false
  }

  init(bytes: [UInt8]) {
    descriptor = nil
    number = nil
    stop = nil
    storage = bytes
    end = bytes.count
    isAtEnd = true
  }

  /// How many bytes are in the window.
  var count: Int { end - start }

  /// What is in the window.
  var bytes: RawSpan {
    @_lifetime(borrow self) get { unsafe storage.span.bytes.extracting(start..<end) }
  }

  /// The bytes that have just been consumed: they stay until something else is read.
  @_lifetime(borrow self)
  func consumed(last length: Int, at offset: Int, count: Int) -> RawSpan {
    let first = start - length + offset
    return unsafe storage.span.bytes.extracting(first..<first + count)
  }

  /// Reads until there are so many bytes in the window.
  ///
  /// - Returns: false if the input ends before.
  mutating func fill(_ wanted: Int) throws(CaptureError) -> Bool {
    while count < wanted {
      guard !isAtEnd else { return false }
      makeRoom(for: wanted)
      do throws(SystemError) { try readMore() } catch { throw .unreadable(error) }
    }
    return true
  }

  /// - Precondition: There are so many in the window.
  mutating func consume(_ count: Int) {
    start += count
    offset += UInt64(count)
  }

  /// Consumes bytes that need not be looked at, and so not be in the window all at once.
  ///
  /// - Returns: false if the input ends before.
  mutating func skip(_ count: UInt64) throws(CaptureError) -> Bool {
    var left = count
    while left > 0 {
      guard try fill(1) else { return false }
      let some = min(left, UInt64(self.count))
      consume(Int(some))
      left -= some
    }
    return true
  }

  private mutating func makeRoom(for wanted: Int) {
    guard start + wanted > storage.count else { return }
    if start > 0 {
      let (from, kept) = (start, count)
      unsafe storage.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        unsafe memmove(base, base + from, kept)
      }
      (start, end) = (0, kept)
    }
    if wanted > storage.count {
      storage.append(contentsOf: repeatElement(0, count: Self.longestRecord - storage.count))
    }
  }

  private mutating func readMore() throws(SystemError) {
    guard let number, try !isToStop(number) else {
      isAtEnd = true
      return
    }
    let end = end
    let count = try retrying("read") {
      unsafe storage.withUnsafeMutableBytes { bytes in
        unsafe read(number, bytes.baseAddress?.advanced(by: end), bytes.count - end)
      }
    }
    self.end += count
    isAtEnd = count == 0
  }

  /// Waits for something to read, or for the order to stop, which a read(2) from a terminal or a pipe would not hear.
  private mutating func isToStop(_ number: CInt) throws(SystemError) -> Bool {
    guard let stop else { return false }
    var events = PollSet()
    events.add(number)
    events.add(stop)
    while !events.isReadable(number) && !events.isReadable(stop) { try events.wait(milliseconds: -1) }
    isStopped = events.isReadable(stop)
    return isStopped
  }
}
