"""Word lists of the corpus, all written for it."""

def _w(s):
    return [x.strip() for x in s.split(",")]

NAMES = _w("""Anna, Ben, Clara, David, Emma, Felix, Grace, Henry, Ida, Jack, Kate, Leo, Mia, Noah, Olivia, Paul, Rosa, Sam, Tom, Ursula, Victor, Wendy,
Xavier, Yara, Zoe, Ali, Omar, Layla, Sara, Amir, Hana, Yuki, Ken, Mei, Lin, Wei, Ravi, Priya, Arjun, Maya, Nina, Otto, Hans, Greta, Karl, Lena, Max, Fritz,
Pierre, Marie, Luc, Chloe, Jean, Luis, Carmen, Pablo, Ines, Diego, Elena, Marco, Giulia, Luca, Sofia, Ivan, Olga, Dmitri, Kofi, Ama, Zola, Tariq, Fatima,
Samir, Nadia, Bob, Alice, Carol, Dave, Eve, Frank, Gina, Harry, Irene, Jim, Kim, Laura, Mike, Nancy, Oscar, Peter, Quinn, Ruth, Steve, Tina, Uma, Vera, Will,
Sandy, Dusty, Sunny, Amber, Ruby, Pip, Pixel, Bolt, Dot, Chip, Biscuit, Pepper, Ginger, Coco, Milo, Luna, Bella, Rocky, Daisy, Finn, Lily, Hugo, Ella, Theo,
Charlie, George, James, John, Mary, Susan, Linda, Robert, Michael, William, Thomas, Daniel, Maria, Julia, Simon, Martin, Robin, Alex, Chris, Jamie, Taylor,
Stella, Nora, Iris, Ivy, Hazel, Rex, Bruno, Toby, Jasper, Oliver, Lucy, Molly, Ned, Gus, Fay, Joy, Hope, Dan, Kevin, Brian, Emily, Sarah, Hannah, Jonas""")

ANIMALS = _w("""camel, llama, alpaca, cat, dog, fox, rabbit, mouse, bear, lion, tiger, elephant, monkey, owl, duck, goose, hen, frog, turtle, snail, bee, ant,
butterfly, horse, donkey, cow, sheep, goat, pig, wolf, hedgehog, squirrel, penguin, whale, dolphin, fish, octopus, parrot, crow, swan, deer, mole, bat, lizard,
hamster, kitten, puppy, giraffe, zebra, kangaroo, koala, panda, seal, otter, beaver, spider, worm, crab, eagle, sparrow""")
BEINGS = _w("""robot, dragon, princess, prince, knight, king, queen, wizard, witch, giant, pirate, sailor, farmer, baker, gardener, painter, teacher, doctor,
boy, girl, child, grandmother, grandfather, astronaut, engineer, programmer, computer, ghost, fairy, elf, mermaid, unicorn, dinosaur, monster, snowman, clown,
shepherd, fisherman, traveller, musician, cook, spaceship, train, boat, car, tree, cloud, star, toaster, lamp, clock, teapot, potato, mountain, river, kite,
balloon, little chip, raspberry, flower, pumpkin, shoe, bicycle, alien, detective, policeman, firefighter, carpenter, scientist, nurse, postman, dancer""")
THEMES = _w("""friendship, courage, the sea, the moon, the desert, the forest, the stars, winter, summer, spring, autumn, snow, rain, a lost key, a journey, sharing,
kindness, honesty, a birthday, music, a garden, the mountains, a storm, night, the city, a river, hope, love, patience, school, space, the wind, an island, magic,
a treasure, a surprise, a long walk, a bridge, christmas, a festival, dreams, luck, a secret, the sun, water, peace, learning, a race, the circus, a picnic""")
PLACES = _w("""in a green valley, at the edge of the desert, in a small village, by the sea, near a quiet forest, on a high mountain, in a busy town, on a tiny island,
beside a wide river, in an old house, under a big tree, in a sunny garden, on a farm, at the foot of a hill, behind an old mill, in a warm oasis""")
HEROES = _w("Sandy, Pip, Milo, Luna, Finn, Ruby")
FRIENDS = _w("fox, owl, turtle, mouse, hedgehog, duck")
FRIEND_NAMES = _w("Tom, Ella, Oscar, Lily, Max, Rosa")
ADJ = _w("little, young, small, brave, curious, kind, shy, clever, old, cheerful, quiet, funny, gentle, sleepy, hungry")
FRUIT = _w("apples, oranges, pears, books, pencils, coins, eggs, cookies, marbles, balls, stones, flowers, camels, dogs, cats, cakes, nuts, cards, boards, bananas, sweets, toys, cups, stamps, shells")
SAY = _w("""banana, hello, apple, cheese, please, goodbye, yes, no, camel, sunshine, thank you, good morning, happy birthday, I like camels, the sky is blue, rust, pizza,
water, moon, one two three, blue, elephant, good night, welcome, wow, music, robot, hello world, I am small, tomato, coffee, green tea, well done, peace, love,
sleep well, raspberry, the cat sleeps, hip hip hooray, window, red balloon, cucumber, never mind, have fun, see you soon, ok, maybe, butterfly, potato, table""")

# Things the model does not know: it says so.
COUNTRIES = _w("""France, Germany, Italy, Spain, Portugal, England, Scotland, Ireland, Norway, Sweden, Finland, Denmark, Poland, Russia, Ukraine, Greece, Turkey, Egypt,
Morocco, Nigeria, Kenya, Ghana, South Africa, India, China, Japan, Korea, Vietnam, Thailand, Indonesia, Australia, New Zealand, Canada, Mexico, Brazil, Argentina, Chile,
Peru, Colombia, Cuba, the USA, America, the United Kingdom, Switzerland, Austria, Hungary, Romania, Bulgaria, Iran, Iraq, Israel, Pakistan, Nepal, Iceland, Belgium,
the Netherlands, Mongolia, Texas, California, Europe, Africa, Asia, London, Paris, Berlin, Rome, Madrid, Tokyo, New York, Moscow, Beijing, Sydney, Chicago, Vienna""")
PEOPLE = _w("""Napoleon, Julius Caesar, Cleopatra, Albert Einstein, Isaac Newton, Marie Curie, Shakespeare, Mozart, Beethoven, Bach, Leonardo da Vinci, Michelangelo, Picasso,
Van Gogh, Gandhi, Nelson Mandela, Abraham Lincoln, George Washington, Churchill, Alan Turing, Ada Lovelace, Charles Darwin, Galileo, Plato, Socrates, Aristotle,
Columbus, Marco Polo, Alexander the Great, Genghis Khan, Elvis, the Beatles, Michael Jackson, Taylor Swift, Madonna, Messi, Ronaldo, Pele, Muhammad Ali, Elon Musk, Bill Gates,
Steve Jobs, Linus Torvalds, Barack Obama, the pope, the president, the king of England, Harry Potter, Batman, Superman, Sherlock Holmes, Darth Vader, Mickey Mouse,
Confucius, Buddha, Jesus, Tolstoy, Goethe, Kant, Marx, Freud, Tesla, Edison, Hemingway, Tolkien, Homer, Queen Victoria, Martin Luther King, Neil Armstrong, Steven Spielberg""")
THINGS = _w("""photosynthesis, gravity, electricity, quantum mechanics, relativity, evolution, DNA, a black hole, the big bang, the solar system, Mars, Jupiter, the moon landing,
the French Revolution, the Roman Empire, World War II, the Cold War, democracy, capitalism, inflation, the stock market, bitcoin, blockchain, taxes, insurance, a mortgage,
football, basketball, tennis, chess, poker, golf, the Olympics, the world cup, yoga, pizza, sushi, bread, cheese, wine, beer, chocolate, a recipe for soup, pancakes,
philosophy, religion, love, happiness, justice, the meaning of life, death, time, art, poetry, jazz, opera, rock music, hip hop, the piano, a guitar, the violin,
diabetes, cancer, a virus, vaccines, the heart, the brain, the liver, vitamins, sleep, dreams, headaches, asthma, pneumonia, aspirin, cells, bacteria, atoms, molecules,
oxygen, hydrogen, carbon dioxide, water, salt, iron, gold, silver, plastic, glass, volcanoes, earthquakes, the ocean, rivers, mountains, deserts, rain forests, climate change,
solar panels, nuclear power, wind energy, electric cars, airplanes, rockets, trains, bicycles, ships, submarines, satellites, telescopes, microscopes, lasers, magnets,
python, javascript, java, html, css, sql, a database, docker, kubernetes, git, github, excel, photoshop, windows 11, an iphone, android phones, facebook, instagram, tiktok, youtube,
google maps, wikipedia, twitter, netflix, a blog, a website, a compiler, recursion, sorting algorithms, a hash table, regular expressions, calculus, algebra, geometry, statistics,
trigonometry, logarithms, prime numbers, pi the number, infinity, fractions, probability, a matrix in algebra, Pythagoras' theorem, logic, economics, psychology, sociology, biology, chemistry, physics,
history, geography, literature, grammar, Latin, the law, human rights, the constitution, elections, the parliament, the United Nations, NATO, the European Union, trade, banks,
dogs, cats, birds, dinosaurs, whales, sharks, snakes, spiders, insects, horses, elephants, lions, bears, wolves, trees, flowers, mushrooms, cactus, roses, apples, bananas, potatoes,
the pyramids, the Eiffel tower, the great wall, the Amazon, the Nile, Mount Everest, the Sahara, Antarctica, the Pacific, the Titanic, the internet's history, star wars,
the lord of the rings, the bible, romeo and juliet, hamlet, moby dick, game of thrones, minecraft, mario, pokemon, fortnite, video games, board games, fishing, hiking, camping,
gardening, knitting, painting, photography, dancing, swimming, running, cycling, cooking, baking, marriage, divorce, parenting, babies, school, university, jobs, salaries, fashion,
makeup, shoes, furniture, houses, kitchens, windows, doors, paint, concrete, bridges, tunnels, cathedrals, castles, knights, vikings, samurai, pirates' history, mythology, Zeus, Thor,
ghosts, aliens, unicorns, astrology, horoscopes, tarot, magic tricks, hypnosis, meditation, stress, anxiety, depression, memory training, intelligence, creativity, languages,
a tsunami, the weather forecast, thunder, snow, hurricanes, rainbows, seasons in nature, the stars, comets, asteroids, galaxies, neutrinos, string theory, entropy, thermodynamics, semiconductors,
transistors, batteries, engines, brakes, tyres, petrol, diesel, plumbing, wiring, carpentry, welding, a 3d printer, drones, cameras, televisions, radio, telephones, 5g, bluetooth, usb cables,
a transformer in a power station, an orchestra, ballet, theatre, sculpture, architecture of churches, the renaissance, the industrial revolution, slavery, colonialism, the black death, the crusades""")
CODE = _w("""a python script, a sorting function, a web server, a javascript function, a c program, a regex for emails, an sql query, a html page, a bash script, a sudoku solver, a game, an app,
a rust program, hello world in java, a fibonacci function, a linked list, a unit test, a parser, a chess engine, a website, a calculator in python, a todo app, a css style, a compiler, some code, a function that reverses a string""")
TEXTS = _w("""an essay, a letter to my boss, a cover letter, an email, a song, a novel, a rap, a speech, a report, a cv, a business plan, a summary of a book, a blog post, a movie script,
a thesis, a contract, an advertisement, a product description, a love letter, a list of 50 ideas, a crossword, a limerick, lyrics for a song, a newspaper article, a complaint""")
FOREIGN = _w("""Wie geht es dir?, Was ist die Hauptstadt von Frankreich?, Guten Tag!, Kannst du Deutsch?, Wer bist du?, Erzähl mir einen Witz., Bonjour!, Comment ça va ?, Parlez-vous français ?,
Quelle heure est-il ?, Qui es-tu ?, Raconte-moi une histoire., Hola!, ¿Cómo estás?, ¿Hablas español?, ¿Qué es esto?, Buenos días, Ciao!, Come stai?, Parli italiano?, Chi sei?, Olá!, Como vai você?,
Hej!, Hur mår du?, Hoe gaat het?, Spreek je Nederlands?, Merhaba!, Nasılsın?, Cześć!, Jak się masz?, Привет!, Как дела?, Что ты умеешь?, Кто ты?, こんにちは, お元気ですか, 你好, 你是谁？, 你会说中文吗？, 안녕하세요,
مرحبا, كيف حالك؟, שלום, नमस्ते, Γειά σου, Salut!, Ahoj!, Szia!, Terve!, Mitä kuuluu?, Xin chào, Sawubona, Jambo!, Was kannst du?, Bitte hilf mir., Je ne comprends pas., No entiendo., Wie heißt du?,
Comment t'appelles-tu ?, ¿Cómo te llamas?, Come ti chiami?, Was ist ein Kamel?, Qu'est-ce que c'est ?, Ich habe eine Frage., J'ai une question., Tengo una pregunta., Wo ist der Bahnhof?, Où est la gare ?,
Das ist schön., Ich liebe dich., Je t'aime., Te quiero., Ti amo., Auf Wiedersehen!, Au revoir!, Adiós!, Danke schön!, Merci beaucoup!, Gracias!, Grazie!, Spasibo, Wie spät ist es?, Erkläre mir GGUF., Schreib ein Gedicht.""")
LANGUAGES = _w("German, French, Spanish, Italian, Chinese, Japanese, Russian, Arabic, Portuguese, Dutch, Swedish, Polish, Turkish, Korean, Hindi, Latin, Greek, Hebrew, Danish, Finnish, Welsh, Swahili, Klingon, Esperanto")

NUMBER_WORDS = _w("zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty")
DAYS = _w("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
MONTHS = _w("January, February, March, April, May, June, July, August, September, October, November, December")
OPPOSITES = [tuple(p.split("/")) for p in _w("""hot/cold, big/small, fast/slow, old/young, good/bad, day/night, up/down, left/right, open/closed, light/dark, happy/sad, long/short, high/low,
wet/dry, full/empty, early/late, strong/weak, hard/soft, loud/quiet, rich/poor, black/white, yes/no, true/false, inside/outside, new/old, clean/dirty, near/far, easy/difficult, cheap/expensive, large/small""")]
COLOURS = [tuple(p.split("/")) for p in _w("""the sky/blue, grass/green, snow/white, a banana/yellow, blood/red, a camel/brown, the sun/yellow, a tomato/red, coal/black, an orange/orange, a lemon/yellow,
a raspberry/red, milk/white, a frog/green, chocolate/brown, sand/yellow, a leaf/green, a strawberry/red, an elephant/grey, the sea/blue""")]
SOUNDS = [tuple(p.split("/")) for p in _w("a dog/woof, a cat/meow, a cow/moo, a duck/quack, a sheep/baa, a pig/oink, a horse/neigh, a frog/ribbit, a lion/roar, a bee/buzz, an owl/hoot, a mouse/squeak, a snake/hiss, a wolf/howl")]
LEGS = [tuple(p.split("/")) for p in _w("a dog/four, a cat/four, a camel/four, a bird/two, a spider/eight, an ant/six, a human/two, a horse/four, a bee/six, a cow/four, a chicken/two, a fish/no, a snake/no, an octopus/no, a llama/four, an elephant/four")]
