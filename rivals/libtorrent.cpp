// libtorrent's bencode decoder at the same work as the parsers in src/: `libtorrent FILE SECONDS`.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include <libtorrent/bdecode.hpp>
#include <libtorrent/version.hpp>

using clock_type = std::chrono::steady_clock;

static long long read_all(std::vector<char> const& bytes)
{
	lt::error_code error;
	// The tokens of a large torrent exceed the decoder's default limits.
	lt::bdecode_node const root = lt::bdecode(bytes, error, nullptr, 100, 100'000'000);
	if (error) return -1;
	lt::bdecode_node const info = root.dict_find_dict("info");
	lt::bdecode_node const files = info.dict_find_list("files");
	if (!files) return info.dict_find_int_value("length") + info.dict_find_string_value("name").size();
	long long sum = 0;
	for (int i = 0; i < files.list_size(); ++i) {
		lt::bdecode_node const file = files.list_at(i);
		sum += file.dict_find_int_value("length");
		lt::bdecode_node const path = file.dict_find_list("path");
		for (int part = 0; part < path.list_size(); ++part)
			sum += path.list_string_value_at(part).size();
	}
	return sum;
}

int main(int argc, char** argv)
{
	if (argc != 3) return 2;
	std::ifstream file(argv[1], std::ios::binary);
	std::vector<char> const bytes{std::istreambuf_iterator<char>(file), {}};
	if (read_all(bytes) < 0) return 1;
	std::chrono::duration<double> const budget(std::atof(argv[2]));
	std::vector<double> times;
	volatile long long sink = 0;
	auto const measure = [&](int repeats) {
		auto const began = clock_type::now();
		for (int i = 0; i < repeats; ++i) sink = sink + read_all(bytes);
		return std::chrono::duration<double, std::micro>(clock_type::now() - began).count() / repeats;
	};
	// As often as the Rust parsers: a measurement takes 100 us at least.
	int const repeats = std::max(1, int(100 / measure(1)));
	for (auto const started = clock_type::now(); clock_type::now() - started < budget || times.size() < 7;)
		times.push_back(measure(repeats));
	std::sort(times.begin(), times.end());
	std::printf("libtorrent-%s %.3f %.3f %.3f\n", LIBTORRENT_VERSION, times[times.size() / 2], times.front(), times.back());
}
